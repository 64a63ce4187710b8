#include "net/host_resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "base/error.h"
#include "base/manual_clock.h"

namespace sse::net {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

// A name server that answers when it is told to. What waits for it may outlive the test.
struct NameServer {
  static HostResolver::LookUp as_look_up(const std::shared_ptr<NameServer>& self) {
    return [self](const std::string& host) {
      ++self->asked;
      const auto answer = self->answers.get();
      if (answer.empty()) throw Error(ErrorCode::kUnavailable, "no such host as " + host);
      return answer;
    };
  }
  std::promise<std::vector<std::string>> promise;
  std::shared_future<std::vector<std::string>> answers{promise.get_future()};
  std::atomic<int> asked{0};
};

ErrorCode code_of(HostResolver& resolver, SteadyTime deadline) {
  try {
    resolver.addresses(deadline);
  } catch (const Error& e) {
    return e.code();
  }
  return ErrorCode::kInternal;
}

TEST(HostResolver, DoesNotLookUpAnAddress) {
  for (const std::string host : {"127.0.0.1", "::1", "2001:db8::7"}) {
    HostResolver resolver(host, Clock::system(), [](const std::string&) -> std::vector<std::string> { throw 7; });
    EXPECT_THAT(resolver.addresses(steady_now()), ElementsAre(host));
  }
}

TEST(HostResolver, KnowsThisMachine) {
  HostResolver resolver("localhost");
  EXPECT_THAT(resolver.addresses(steady_now() + 60s), ::testing::Contains(::testing::AnyOf("127.0.0.1", "::1")));
}

TEST(HostResolver, AsksOnceForAllWhoWait) {
  const auto server = std::make_shared<NameServer>();
  HostResolver resolver("hook.example", Clock::system(), server->as_look_up(server));
  std::vector<std::future<std::vector<std::string>>> waiting;
  for (int i = 0; i < 8; ++i)
    waiting.push_back(std::async(std::launch::async, [&] { return resolver.addresses(steady_now() + 60s); }));
  server->promise.set_value({"192.0.2.1", "192.0.2.2"});
  for (auto& one : waiting) EXPECT_THAT(one.get(), ElementsAre("192.0.2.1", "192.0.2.2"));
  EXPECT_THAT(resolver.addresses(steady_now()), ElementsAre("192.0.2.1", "192.0.2.2"));
  EXPECT_EQ(server->asked, 1);
}

TEST(HostResolver, WaitsNoLongerThanItsCallerMay) {
  ManualClock clock;
  const auto server = std::make_shared<NameServer>();
  HostResolver resolver("hook.example", clock, server->as_look_up(server));
  auto waiting = std::async(std::launch::async, [&] { return code_of(resolver, clock.steady_now() + 3s); });
  ASSERT_TRUE(clock.wait_for_sleepers(1));
  clock.advance(3s);
  EXPECT_EQ(waiting.get(), ErrorCode::kTimeout);
  // The next one waits for the same look-up.
  auto next = std::async(std::launch::async, [&] { return resolver.addresses(clock.steady_now() + 3s); });
  ASSERT_TRUE(clock.wait_for_sleepers(1));
  server->promise.set_value({"192.0.2.1"});
  EXPECT_THAT(next.get(), ElementsAre("192.0.2.1"));
  EXPECT_EQ(server->asked, 1);
}

TEST(HostResolver, SaysThatTheNameIsNotKnown) {
  const auto server = std::make_shared<NameServer>();
  server->promise.set_value({});
  HostResolver resolver("hook.example", Clock::system(), server->as_look_up(server));
  try {
    resolver.addresses(steady_now() + 60s);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kUnavailable);
    EXPECT_THAT(e.what(), ::testing::HasSubstr("'hook.example': no such host"));
  }
}

TEST(HostResolver, UsesWhatItKnewWhileTheNameServerIsSilentOrFails) {
  ManualClock clock;
  const auto server = std::make_shared<NameServer>();
  std::atomic<int> asked{0};
  HostResolver resolver("hook.example", clock, [server, &asked](const std::string&) -> std::vector<std::string> {
    if (++asked == 1) return {"192.0.2.1"};
    return server->answers.get();
  });
  EXPECT_THAT(resolver.addresses(clock.steady_now() + 60s), ElementsAre("192.0.2.1"));
  clock.advance(4s);
  EXPECT_THAT(resolver.addresses(clock.steady_now()), ElementsAre("192.0.2.1"));
  EXPECT_EQ(asked, 1);
  clock.advance(2s);
  auto waiting = std::async(std::launch::async, [&] { return resolver.addresses(clock.steady_now() + 60s); });
  ASSERT_TRUE(clock.wait_for_sleepers(1));
  clock.advance(1s);
  EXPECT_THAT(waiting.get(), ElementsAre("192.0.2.1"));
  server->promise.set_exception(std::make_exception_ptr(Error(ErrorCode::kUnavailable, "the server failed")));
  EXPECT_THAT(resolver.addresses(clock.steady_now() + 60s), ElementsAre("192.0.2.1"));
  // The look-up that fails may have ended before: then there is another one.
  EXPECT_GE(asked, 2);
  EXPECT_LE(asked, 3);
}

TEST(HostResolver, EndsAllWaitsWhenItStops) {
  const auto server = std::make_shared<NameServer>();
  HostResolver resolver("hook.example", Clock::system(), server->as_look_up(server));
  auto waiting = std::async(std::launch::async, [&] { return code_of(resolver, SteadyTime::max()); });
  while (server->asked == 0) std::this_thread::yield();
  resolver.stop();
  EXPECT_EQ(waiting.get(), ErrorCode::kUnavailable);
  server->promise.set_value({});
}

}  // namespace
}  // namespace sse::net
