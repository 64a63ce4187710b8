#include "delivery/attempts.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/manual_clock.h"

namespace sse::delivery {
namespace {

using event::TargetKind;

struct Log final : store::AttemptLog {
  void note_attempts(const ServiceName&, std::span<const store::AttemptCount> attempts) override {
    for (const auto& [recipient, id, count] : attempts) noted[{recipient.name, id}] += count;
  }
  std::map<std::pair<std::string, MessageId>, std::uint32_t> noted;
};

TEST(Attempts, WritesDownOnlyWhatIsNotConfirmed) {
  Log log;
  Attempts attempts(ServiceName("s"), &log);
  attempts.sent(TargetKind::kUser, "1", MessageId(5));
  attempts.sent(TargetKind::kUser, "1", MessageId(6));
  attempts.sent(TargetKind::kUser, "1", MessageId(6));
  attempts.confirmed(TargetKind::kUser, "1", MessageId(5));
  attempts.flush();
  attempts.flush();
  ASSERT_EQ(log.noted.size(), 1U);
  EXPECT_EQ((log.noted[{"1", MessageId(6)}]), 2U);
}

TEST(Attempts, WritesDownWhatIsOlderThanASecondWhenMoreIsSent) {
  Log log;
  ManualClock clock;
  Attempts attempts(ServiceName("s"), &log, clock);
  attempts.sent(TargetKind::kUser, "1", MessageId(5));
  clock.advance(std::chrono::milliseconds(999));
  attempts.sent(TargetKind::kUser, "2", MessageId(5));
  EXPECT_TRUE(log.noted.empty());
  clock.advance(std::chrono::milliseconds(1));
  EXPECT_TRUE(log.noted.empty());
  attempts.sent(TargetKind::kUser, "1", MessageId(6));
  EXPECT_EQ(log.noted.size(), 2U);
}

TEST(Attempts, AreCountedByEachLoopAndWrittenDownForAll) {
  Log log;
  ManualClock clock;
  Attempts attempts(ServiceName("s"), &log, clock);
  for (int loop = 0; loop < 3; ++loop)
    std::thread([&] { attempts.sent(TargetKind::kTenant, "t", MessageId(5)); }).join();
  attempts.flush();
  EXPECT_EQ((log.noted[{"t", MessageId(5)}]), 3U);
}

TEST(Attempts, NeedsNoLog) {
  Attempts attempts(ServiceName("s"), nullptr);
  attempts.sent(TargetKind::kUser, "1", MessageId(5));
  attempts.flush();
}

}  // namespace
}  // namespace sse::delivery
