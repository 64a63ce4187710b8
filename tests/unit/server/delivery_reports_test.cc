#include "server/delivery_reports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/manual_clock.h"
#include "store/memory/memory_repository.h"

namespace sse::server {
namespace {

using ::testing::SizeIs;

TEST(DeliveryReports, AreLoggedAndCountedWhereTheOutboxHasNoRoomForThem) {
  ManualClock clock;
  IdGenerator ids(1, 0, clock);
  observe::Registry metrics;
  application::ActivityLog activity_log(clock);
  store::StoreLimits limits;
  limits.outbox = 1;
  store::MemoryRepository repository(ids, limits);
  const ServiceName service("s");
  const auto confirm = [&] {
    store::NewMessage message{service,          {event::TargetKind::kUser, {"1"}, false}, "news", "hi",
                              clock.wall_now(), clock.wall_now() + std::chrono::hours(1)};
    message.notify = true;
    repository.confirm(service, {event::TargetKind::kUser, "1"}, repository.add(message));
  };
  {
    DeliveryReports reports(repository, activity_log, nullptr, metrics, clock);
    reports.start();
    for (int i = 0; i < 3; ++i) confirm();
    ASSERT_THAT(activity_log.last(), SizeIs(3));
    EXPECT_EQ(activity_log.last()[0]->type, application::ActivityEvent::Type::kConfirmed);
    EXPECT_EQ(activity_log.last()[0]->time, clock.wall_now());
    EXPECT_EQ(metrics.snapshot()["sse_outbox_dropped_total"], 2);
    EXPECT_EQ(metrics.snapshot()["sse_outbox_reports"], 1);
  }
  confirm();
  EXPECT_THAT(activity_log.last(), SizeIs(3)) << "it listens no longer";
}

}  // namespace
}  // namespace sse::server
