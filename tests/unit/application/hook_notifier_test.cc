#include "application/hook_notifier.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "application/activity_event.h"
#include "application/hook.h"
#include "base/manual_clock.h"

namespace sse::application {
namespace {

// The application is away: one waits, the next finds no room, and the first is given up after a minute.
TEST(HookNotifier, CountsWhatItDropsByTheReason) {
  ManualClock clock;
  IdGenerator ids(1, 0, clock);
  observe::Registry metrics;
  HookOptions options;
  options.url = "http://127.0.0.1:1/";
  options.queue = 1;
  options.clock = &clock;
  HookCaller caller(options, "here", metrics);
  HookNotifier notifier(caller, ids, metrics);
  const auto dropped = [&](const std::string& reason) {
    return metrics.snapshot()["sse_hook_dropped_total{reason=\"" + reason + "\"}"];
  };
  auto activity = std::make_shared<ActivityEvent>();
  activity->type = ActivityEvent::Type::kDisconnect;
  activity->time = clock.wall_now();
  activity->connection.emplace().id = ConnectionId(5);
  notifier.offer(activity);
  EXPECT_EQ(dropped("queue_full"), 0);
  notifier.offer(activity);
  EXPECT_EQ(dropped("queue_full"), 1);
  EXPECT_EQ(dropped("given_up"), 0);
  EXPECT_TRUE(clock.advance_until(std::chrono::seconds(5), [&] { return dropped("given_up") == 1; }));
  EXPECT_GT(clock.wall_now() - activity->time, std::chrono::seconds(60));
  EXPECT_EQ(dropped("queue_full"), 1);
  EXPECT_EQ(dropped("refused"), 0);
  notifier.stop(std::chrono::milliseconds(0));
  caller.stop();
}

}  // namespace
}  // namespace sse::application
