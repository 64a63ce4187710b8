#include "net/http_caller.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/manual_clock.h"
#include "support/errors.h"
#include "support/http_server.h"

namespace sse::net {
namespace {

TEST(HttpCaller, RefusesWhatIsNoUrl) {
  for (const std::string url :
       {"", "a", "ftp://a/", "http://", "http:///x", "http://:1/", "http://a:/", "http://a:0/", "http://a:65536/",
        "http://a:1x/", "http://a b/", "http://a/\r\nX: y", "http://u:p@a/"}) {
    EXPECT_THROW(HttpCaller(url, "--hook", std::chrono::seconds(1)), Error) << url;
  }
  for (const std::string url : {"http://a", "https://a:8443/x?y=z", "http://[::1]:80/", "http://[::1]/", "http://a?b"})
    EXPECT_NO_THROW(HttpCaller(url, "--hook", std::chrono::seconds(1))) << url;
}

TEST(HttpCaller, SaysThatNoServerIsThere) {
  HttpCaller caller("http://127.0.0.1:1/", "--hook", std::chrono::seconds(5));
  const Error error = testing::error_of([&] { caller.post({}); });
  EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
  EXPECT_NE(std::string(error.what()).find("127.0.0.1:1"), std::string::npos) << error.what();
  caller.stop();
  EXPECT_THROW(caller.post({}), Error);
}

// An application that answers with the body of a request. The answer to "wait" comes after release().
class SmallApplication {
 public:
  SmallApplication() {
    server_.http().Post("/hook", [this](const httplib::Request& request, httplib::Response& response) {
      if (request.body == "wait") {
        ++waiting;
        released_.wait();
      }
      response.set_content(request.body, "text/plain");
    });
    server_.start();
  }
  ~SmallApplication() { release(); }
  void release() {
    if (!std::exchange(open_, true)) release_.set_value();
  }
  std::string url(const std::string& host) const {
    return "http://" + host + ":" + std::to_string(server_.port()) + "/hook";
  }

  std::atomic<int> waiting{0};

 private:
  std::promise<void> release_;
  std::shared_future<void> released_{release_.get_future()};
  bool open_ = false;
  testing::HttpServer server_;
};

HttpCaller::Request saying(const std::string& body) {
  HttpCaller::Request request;
  request.body = body;
  return request;
}

TEST(HttpCaller, ASlowNameLookUpHoldsUpNoOtherCall) {
  SmallApplication application;
  ManualClock clock;
  const auto silent = std::make_shared<std::promise<std::vector<std::string>>>();
  const std::shared_future<std::vector<std::string>> answer = silent->get_future();
  const auto asked = std::make_shared<std::atomic<int>>(0);
  HttpCaller caller(application.url("hook.example"), "--hook", std::chrono::seconds(30), clock,
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
  HttpCaller caller("http://hook.example/", "--hook", std::chrono::seconds(3), clock,
                    [silent, answer](const std::string&) { return answer.get(); });
  auto call = std::async(std::launch::async, [&] { return testing::error_of([&] { caller.post({}); }).code(); });
  ASSERT_TRUE(clock.wait_for_sleepers(1));
  clock.advance(std::chrono::seconds(3));
  EXPECT_EQ(call.get(), ErrorCode::kTimeout);
  silent->set_value({});
}

TEST(HttpCaller, TriesEveryAddressOfAName) {
  SmallApplication application;
  HttpCaller caller(application.url("hook.example"), "--hook", std::chrono::seconds(30), Clock::system(),
                    [](const std::string&) -> std::vector<std::string> {
                      return {"127.0.0.2", "::1", "127.0.0.1"};
                    });
  EXPECT_EQ(caller.post(saying("hello")).body, "hello");
  EXPECT_EQ(caller.post(saying("again")).body, "again");
}

}  // namespace
}  // namespace sse::net
