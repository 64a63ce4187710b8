#include "delivery/read_failure_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "base/manual_clock.h"

namespace sse::delivery {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

class ReadFailureLogTest : public ::testing::Test {
 protected:
  // What `report` logs.
  template <class Report>
  std::string logged(const Report& report) {
    ::testing::internal::CaptureStderr();
    report();
    return ::testing::internal::GetCapturedStderr();
  }
  static std::ptrdiff_t lines(const std::string& log) { return std::ranges::count(log, '\n'); }

  ManualClock clock_;
  ReadFailureLog failures_{ServiceName("hr"), clock_};
};

TEST_F(ReadFailureLogTest, NamesTheServiceAndTheFailure) {
  const std::string log = logged([&] { failures_.report("the disk is gone"); });
  EXPECT_EQ(lines(log), 1) << log;
  EXPECT_THAT(log, HasSubstr("cannot read pending messages"));
  EXPECT_THAT(log, HasSubstr("hr"));
  EXPECT_THAT(log, HasSubstr("the disk is gone"));
}

TEST_F(ReadFailureLogTest, LogsOnceASecondHoweverManyReadsFail) {
  const std::string first = logged([&] {
    for (int i = 0; i < 100; ++i) failures_.report("first");
    clock_.advance(milliseconds(999));
    failures_.report("too early");
  });
  EXPECT_EQ(lines(first), 1) << first;
  EXPECT_THAT(first, HasSubstr("first"));
  clock_.advance(milliseconds(1));
  const std::string second = logged([&] {
    failures_.report("second");
    failures_.report("second");
  });
  EXPECT_EQ(lines(second), 1) << second;
  EXPECT_THAT(second, HasSubstr("second"));
}

TEST_F(ReadFailureLogTest, LogsOnceWhenManyThreadsFailAtOnce) {
  const std::string log = logged([&] {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 100; ++i) failures_.report("all at once");
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
  EXPECT_EQ(lines(log), 1) << log;
}

}  // namespace
}  // namespace sse::delivery
