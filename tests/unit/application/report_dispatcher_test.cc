#include "application/report_dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/manual_clock.h"
#include "store/memory/memory_repository.h"
#include "support/eventually.h"
#include "support/http_server.h"

namespace sse::application {
namespace {

using ::testing::ElementsAre;
using testing::eventually;
using ::testing::SizeIs;

const ServiceName kService("s");

// A hook whose status is chosen for each recipient, and what it was called with.
class Hook {
 public:
  Hook() {
    server_.http().Post("/hook", [this](const httplib::Request& request, httplib::Response& response) {
      const event::Json body = event::Json::parse(request.body);
      const std::string name = body["message"]["recipient"].get<std::string>();
      const MutexLock lock(mutex_);
      calls_[name].push_back(body);
      deliveries_[name].push_back(request.get_header_value("X-Sse-Delivery"));
      const auto status = statuses_.find(name);
      response.status = status == statuses_.end() ? 204 : status->second;
    });
    url_ = server_.start() + "/hook";
  }
  const std::string& url() const { return url_; }
  void answer(const std::string& name, int status) {
    const MutexLock lock(mutex_);
    statuses_[name] = status;
  }
  std::size_t calls(const std::string& name) {
    const MutexLock lock(mutex_);
    return calls_[name].size();
  }
  event::Json call(const std::string& name) {
    const MutexLock lock(mutex_);
    return calls_[name].at(0);
  }
  std::vector<std::string> deliveries(const std::string& name) {
    const MutexLock lock(mutex_);
    return deliveries_[name];
  }
  void stop() { server_.stop(); }

 private:
  Mutex mutex_;
  std::map<std::string, int> statuses_ GUARDED_BY(mutex_);
  std::map<std::string, std::vector<event::Json>> calls_ GUARDED_BY(mutex_);
  std::map<std::string, std::vector<std::string>> deliveries_ GUARDED_BY(mutex_);
  std::string url_;
  testing::HttpServer server_;  // last: its thread uses the others
};

class ReportDispatcherTest : public ::testing::Test {
 protected:
  ReportDispatcherTest() {
    HookOptions options;
    options.url = hook_.url();
    options.timeout = std::chrono::hours(10'000);
    options.clock = &clock_;
    caller_.emplace(options, "here", metrics_);
  }
  ~ReportDispatcherTest() override {
    repository_.listen_to_reports({});
    dispatcher_.reset();
    hook_.stop();
    caller_.reset();
  }

  void start() {
    dispatcher_ = std::make_unique<ReportDispatcher>(*caller_, repository_, metrics_, clock_);
    repository_.listen_to_reports([this](const auto&, std::uint64_t) { dispatcher_->wake(); });
    dispatcher_->start();
  }
  MessageId confirmed(const std::string& name) {
    store::NewMessage message{kService,          {event::TargetKind::kUser, {name}, false}, "news",       "hi",
                              clock_.wall_now(), clock_.wall_now() + std::chrono::hours(1), "key-" + name};
    message.notify = true;
    const MessageId id = repository_.add(message);
    repository_.confirm(kService, {event::TargetKind::kUser, name}, id);
    return id;
  }
  bool is_empty() {
    return eventually([&] { return repository_.waiting_reports() == 0; });
  }

  static store::StoreLimits limits() {
    store::StoreLimits limits;
    limits.outbox = 10'000;
    return limits;
  }

  ManualClock clock_;
  observe::Registry metrics_;
  IdGenerator ids_{1, 0, clock_};
  store::MemoryRepository repository_{ids_, limits()};
  Hook hook_;
  std::optional<HookCaller> caller_;
  std::unique_ptr<ReportDispatcher> dispatcher_;
};

TEST_F(ReportDispatcherTest, CallsTheHookAndEmptiesTheOutbox) {
  start();
  const MessageId id = confirmed("1");
  ASSERT_TRUE(is_empty());
  const event::Json call = hook_.call("1");
  EXPECT_EQ(call.value("type", ""), "confirmed");
  EXPECT_EQ(call.value("service", ""), "s");
  EXPECT_EQ(call.value("serverId", ""), "here");
  EXPECT_EQ(call["message"].value("id", ""), id.str());
  EXPECT_EQ(call["message"].value("event", ""), "news");
  EXPECT_EQ(call["message"].value("kind", ""), "user");
  EXPECT_EQ(call["message"].value("key", ""), "key-1");
  EXPECT_EQ(hook_.calls("1"), 1U);
}

TEST_F(ReportDispatcherTest, CallsWithWhatWasInTheOutboxBefore) {
  for (const char* name : {"1", "2"}) confirmed(name);
  start();
  ASSERT_TRUE(is_empty());
  EXPECT_EQ(hook_.calls("1"), 1U);
  EXPECT_EQ(hook_.calls("2"), 1U);
}

TEST_F(ReportDispatcherTest, RepeatsWhatTheHookDidNotAcceptUnderTheSameName) {
  hook_.answer("1", 500);
  start();
  confirmed("1");
  ASSERT_TRUE(clock_.advance_until(std::chrono::seconds(10), [&] { return hook_.calls("1") >= 3; }));
  EXPECT_EQ(repository_.waiting_reports(), 1U);
  hook_.answer("1", 200);
  ASSERT_TRUE(clock_.advance_until(std::chrono::seconds(10), [&] { return repository_.waiting_reports() == 0; }));
  const std::vector<std::string> deliveries = hook_.deliveries("1");
  for (const std::string& one : deliveries) EXPECT_EQ(one, deliveries[0]);
}

TEST_F(ReportDispatcherTest, AReportThatIsNeverAcceptedHoldsUpNoOther) {
  hook_.answer("bad", 400);
  start();
  confirmed("bad");
  ASSERT_TRUE(eventually([&] { return hook_.calls("bad") >= 1; }));
  for (int i = 0; i < 50; ++i) confirmed(std::to_string(i));
  EXPECT_TRUE(clock_.advance_until(std::chrono::seconds(1), [&] { return repository_.waiting_reports() == 1; }));
  EXPECT_EQ(hook_.calls("49"), 1U);
}

TEST_F(ReportDispatcherTest, HoweverManyReportsTheHookRefusesOthersFollow) {
  constexpr int kRefused = 600;
  for (int i = 0; i < kRefused; ++i) {
    hook_.answer("bad" + std::to_string(i), 400);
    confirmed("bad" + std::to_string(i));
  }
  confirmed("good");
  start();
  EXPECT_TRUE(clock_.advance_until(std::chrono::seconds(40), [&] { return hook_.calls("good") == 1; }));
}

TEST_F(ReportDispatcherTest, CallsADeadHookLessAndLess) {
  for (int i = 0; i < 100; ++i) hook_.answer(std::to_string(i), 503);
  start();
  for (int i = 0; i < 100; ++i) confirmed(std::to_string(i));
  const auto failures = [&] { return metrics_.snapshot()["sse_outbox_retries_total"]; };
  ASSERT_TRUE(eventually([&] { return failures() >= 1; }));
  // Each round of the four callers is followed by a pause that doubles.
  for (int i = 0; i < 200; ++i) clock_.advance(std::chrono::milliseconds(1));
  EXPECT_LE(failures(), 12);
}

TEST_F(ReportDispatcherTest, LeavesToTheNextRunWhatTheHookHasNotAccepted) {
  hook_.answer("1", 503);
  start();
  confirmed("1");
  ASSERT_TRUE(eventually([&] { return hook_.calls("1") == 1; }));
  dispatcher_->stop();
  EXPECT_EQ(repository_.waiting_reports(), 1U);
}

}  // namespace
}  // namespace sse::application
