#include "application/hook.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>
#include <fstream>
#include <future>
#include <thread>
#include <utility>

#include "application/activity_event.h"
#include "application/bulkheads.h"
#include "application/hook_notifier.h"
#include "auth/hmac.h"
#include "base/error.h"
#include "base/manual_clock.h"
#include "net/http_caller.h"
#include "net/request_head.h"
#include "unit/net/loopback.h"

namespace sse::application {
namespace {

// RFC 4231 §4.3.
TEST(Hook, SignsAsTheRfcSays) {
  EXPECT_EQ(auth::hmac_sha256_hex("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Hook, HashesFiles) {
  const testing::TempFolder folder;
  std::ofstream(folder.file("abc")) << "abc";
  EXPECT_EQ(sha256_of_file(folder.file("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_THROW(sha256_of_file(folder.file("missing")), Error);
}

TEST(HttpCaller, RefusesWhatIsNoUrl) {
  for (const std::string url :
       {"", "a", "ftp://a/", "http://", "http:///x", "http://:1/", "http://a:/", "http://a:0/", "http://a:65536/",
        "http://a:1x/", "http://a b/", "http://a/\r\nX: y", "http://u:p@a/"}) {
    EXPECT_THROW(net::HttpCaller(url, "--hook", std::chrono::seconds(1)), Error) << url;
  }
  for (const std::string url : {"http://a", "https://a:8443/x?y=z", "http://[::1]:80/", "http://[::1]/", "http://a?b"})
    EXPECT_NO_THROW(net::HttpCaller(url, "--hook", std::chrono::seconds(1))) << url;
}

TEST(HttpCaller, SaysThatNobodyIsThere) {
  net::HttpCaller caller("http://127.0.0.1:1/", "--hook", std::chrono::seconds(5));
  try {
    caller.post({});
    FAIL() << "somebody answered";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kUnavailable);
    EXPECT_NE(std::string(e.what()).find("127.0.0.1:1"), std::string::npos) << e.what();
  }
  caller.stop();
  EXPECT_THROW(caller.post({}), Error);
}

// An application on 127.0.0.1 alone. What is told to wait does until release().
class SmallApplication {
 public:
  SmallApplication() {
    server_.Post("/hook", [this](const httplib::Request& request, httplib::Response& response) {
      if (request.body == "wait") {
        ++waiting;
        released_.wait();
      }
      response.set_content(request.body, "text/plain");
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~SmallApplication() {
    release();
    server_.stop();
    thread_.join();
  }
  void release() {
    if (!std::exchange(open_, true)) release_.set_value();
  }
  std::string url(const std::string& host) const { return "http://" + host + ":" + std::to_string(port_) + "/hook"; }

  std::atomic<int> waiting{0};

 private:
  std::promise<void> release_;
  std::shared_future<void> released_{release_.get_future()};
  bool open_ = false;
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

net::HttpCaller::Request saying(const std::string& body) {
  net::HttpCaller::Request request;
  request.body = body;
  return request;
}

TEST(HttpCaller, ASlowNameLookUpHoldsUpNoOtherCall) {
  SmallApplication application;
  ManualClock clock;
  const auto silent = std::make_shared<std::promise<std::vector<std::string>>>();
  const std::shared_future<std::vector<std::string>> answer = silent->get_future();
  const auto asked = std::make_shared<std::atomic<int>>(0);
  net::HttpCaller caller(application.url("hook.example"), "--hook", std::chrono::seconds(30), clock,
                         [silent, answer, asked](const std::string&) -> std::vector<std::string> {
                           if (++*asked == 1) return {"127.0.0.1"};
                           return answer.get();
                         });
  EXPECT_EQ(caller.post(saying("first")).body, "first");
  // One call uses the connection there is, another one needs its own and the name server is silent by now.
  auto held = std::async(std::launch::async, [&] { return caller.post(saying("wait")).body; });
  while (application.waiting != 1) std::this_thread::yield();
  clock.advance(std::chrono::seconds(6));
  auto looking_up = std::async(std::launch::async, [&] { return caller.post(saying("new")).body; });
  while (*asked != 2) std::this_thread::yield();
  application.release();
  EXPECT_EQ(held.get(), "wait");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(caller.post(saying("meanwhile")).body, "meanwhile");
  EXPECT_EQ(looking_up.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  // It does not wait for ever, either: the address of a while ago is better than none.
  EXPECT_TRUE(clock.advance_until(std::chrono::milliseconds(100), [&] {
    return looking_up.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }));
  EXPECT_EQ(looking_up.get(), "new");
  silent->set_value({});
}

TEST(HttpCaller, ALookUpThatTakesTooLongIsATimeout) {
  ManualClock clock;
  const auto silent = std::make_shared<std::promise<std::vector<std::string>>>();
  const std::shared_future<std::vector<std::string>> answer = silent->get_future();
  net::HttpCaller caller("http://hook.example/", "--hook", std::chrono::seconds(3), clock,
                         [silent, answer](const std::string&) { return answer.get(); });
  auto call = std::async(std::launch::async, [&] {
    try {
      caller.post({});
    } catch (const Error& e) {
      return e.code();
    }
    return ErrorCode::kInternal;
  });
  ASSERT_TRUE(clock.wait_for_sleepers(1));
  clock.advance(std::chrono::seconds(3));
  EXPECT_EQ(call.get(), ErrorCode::kTimeout);
  silent->set_value({});
}

TEST(HttpCaller, TriesEveryAddressOfAName) {
  SmallApplication application;
  net::HttpCaller caller(application.url("hook.example"), "--hook", std::chrono::seconds(30), Clock::system(),
                         [](const std::string&) -> std::vector<std::string> {
                           return {"127.0.0.2", "::1", "127.0.0.1"};
                         });
  EXPECT_EQ(caller.post(saying("hello")).body, "hello");
  EXPECT_EQ(caller.post(saying("again")).body, "again");
}

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

class BulkheadsTest : public ::testing::Test {
 protected:
  static BulkheadOptions options(bool connects_block) {
    BulkheadOptions o;
    o.services = {"/hr", "/hunter"};
    o.connects_may_block = connects_block;
    o.max_body = kibibytes(1);
    o.max_upload = mebibytes(1);
    return o;
  }
  static net::RequestHead head(std::string_view target) {
    net::RequestHead h;
    h.target = target;
    return h;
  }
};

TEST_F(BulkheadsTest, KeepsWhatWaitsForTheApplicationApart) {
  Bulkheads bulkheads(options(true));
  const auto workers = [&](std::string_view target) { return bulkheads.plan(head(target)).workers; };
  EXPECT_EQ(workers("/"), nullptr);
  EXPECT_EQ(workers("/hr"), nullptr);
  EXPECT_EQ(workers("/other/connect"), nullptr);
  EXPECT_NE(workers("/hr/connect?x=/connect/upload/"), nullptr);
  EXPECT_EQ(workers("/hr/connect"), workers("/hunter/connect"));
  EXPECT_NE(workers("/hr/connect/message/a.do"), nullptr);
  EXPECT_NE(workers("/hr/connect/message/a.do"), workers("/hr/connect"));
}

TEST_F(BulkheadsTest, LeavesConnectsToTheWorkersWhereNobodyIsAsked) {
  Bulkheads bulkheads(options(false));
  EXPECT_EQ(bulkheads.plan(head("/hr/connect")).workers, nullptr);
  EXPECT_NE(bulkheads.plan(head("/hr/connect/message/a.do")).workers, nullptr);
}

TEST_F(BulkheadsTest, AllowsLargeBodiesForUploadsOnly) {
  Bulkheads bulkheads(options(false));
  EXPECT_EQ(bulkheads.plan(head("/hr/connect/upload/a.do")).max_body, mebibytes(1));
  EXPECT_EQ(bulkheads.plan(head("/hr/connect/message/a.do")).max_body, kibibytes(1));
  EXPECT_EQ(bulkheads.plan(head("/hr/connect/upload")).max_body, kibibytes(1));
  EXPECT_EQ(bulkheads.plan(head("/x/connect/upload/a.do")).max_body, kibibytes(1));
}

}  // namespace
}  // namespace sse::application
