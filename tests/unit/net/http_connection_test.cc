#include "net/http_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "net/httplib_app.h"
#include "unit/net/loopback.h"

namespace sse::net {
namespace {

using ::testing::AllOf;
using testing::Client;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using State = HttpConnection::State;

constexpr const char* kHello = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n";

// One connection without a front: the test owns it and tells it when a deadline has passed.
class HttpConnectionTest : public ::testing::Test, public HttpConnection::Owner {
 protected:
  HttpConnectionTest() {
    options_.name = "test";
    options_.max_body = kibibytes(64);
    app_.Get("/hello", [](const httplib::Request&, httplib::Response& res) { res.set_content("hello", "text/plain"); });
    app_.Post("/echo", [](const httplib::Request& req, httplib::Response& res) {
      res.set_content(req.body, "application/octet-stream");
    });
    app_.Get("/slow", [this](const httplib::Request&, httplib::Response& res) {
      released_.wait();
      res.set_content("at last", "text/plain");
    });
    app_.Get("/stream", [this](const httplib::Request& req, httplib::Response& res) {
      HttplibApp::hand_over(req, res, "text/event-stream",
                            [this](HandedOverConnection connection) { left_.set_value(std::move(connection)); });
    });
  }
  // Before any destructor runs: the loop calls this object as the connection's owner.
  void TearDown() override {
    release();
    workers_.stop();
    spoolers_.stop();
    loop_.stop();
  }

  void start(ConnectionPlace place = {}) {
    metrics_.emplace(registry_, options_);
    limits_.emplace(options_, *metrics_, [] { return std::size_t{0}; });
    spooler_.emplace(loop_, options_);
    shared_.emplace(HttpConnection::Shared{loop_, options_, app_, workers_, *metrics_, *limits_, *spooler_, fast_,
                                           draining_, *this});
    testing::TcpPair pair = testing::tcp_pair();
    client_.emplace(std::move(pair.client));
    loop_.start();
    on_loop([&] {
      connection_ = std::make_unique<HttpConnection>(
          *shared_, 7, AcceptedConnection{std::move(pair.server), {"192.0.2.1", 1}, std::move(place)});
      connection_->watch();
      connection_->start();
    });
  }
  // Bodies above 100 bytes go to disk, and others wait for memory already.
  void start_with_bodies_on_disk() {
    options_.memory = &memory_;
    options_.spoolers = &spoolers_;
    options_.spool_folder = folder_.file("");
    options_.plan = [](const RequestHead&, const Peer&) {
      return RequestPlan{.max_body = kibibytes(64), .max_in_memory = ByteCount(100)};
    };
    others_wait_ = true;
    start();
  }
  void on_loop(const std::function<void()>& task) {
    std::promise<void> ran;
    loop_.post([&] {
      task();
      ran.set_value();
    });
    ran.get_future().wait();
  }
  // nullopt: closed.
  std::optional<State> state() {
    std::optional<State> now;
    on_loop([&] {
      if (connection_) now = connection_->state();
    });
    return now;
  }
  bool becomes(std::optional<State> wanted) {
    return testing::eventually([&] { return state() == wanted; });
  }
  void pass_deadline() {
    on_loop([&] {
      clock_.advance(std::chrono::minutes(10));
      connection_->check_deadline(clock_.steady_now());
    });
  }
  void release() {
    if (!std::exchange(was_released_, true)) release_.set_value();
  }
  std::string rest() {
    client_->receive_all();
    return client_->received();
  }

  SteadyTime schedule(HttpConnection& connection, SteadyTime when) override {
    EXPECT_EQ(connection.key(), 7U);
    return when;
  }
  void wait_for_memory(HttpConnection&) override { ++waiting_; }
  bool waits_for_memory() const override { return others_wait_; }
  void closed(HttpConnection&) override { connection_.reset(); }

  const testing::TempFolder folder_;
  ByteBudget memory_{kibibytes(80), "--memory"};
  FrontOptions options_;
  observe::Registry registry_;
  HttplibApp app_;
  FastHandler fast_;
  std::atomic<bool> draining_{false};
  std::promise<HandedOverConnection> left_;
  std::promise<void> release_;
  std::shared_future<void> released_{release_.get_future()};
  bool was_released_ = false;
  ManualClock clock_;
  EventLoop loop_{"test-loop", clock_};
  WorkerPool workers_{"test-worker", 0, 2, 10};
  WorkerPool spoolers_{"test-spool", 0, 1, 10};
  std::optional<FrontMetrics> metrics_;
  std::optional<ConnectionLimits> limits_;
  std::optional<UploadSpooler> spooler_;
  std::optional<HttpConnection::Shared> shared_;
  std::optional<Client> client_;
  // Loop thread only.
  std::unique_ptr<HttpConnection> connection_;
  int waiting_ = 0;
  bool others_wait_ = false;
};

TEST_F(HttpConnectionTest, IsIdleAgainAfterEachResponse) {
  start();
  EXPECT_EQ(state(), State::kIdle);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client_->get("/hello").body, "hello");
    EXPECT_TRUE(becomes(State::kIdle));
  }
  EXPECT_EQ(metrics_->requests.value(), 3U);
}

TEST_F(HttpConnectionTest, GoesFromHeadToBodyToHandlingToIdle) {
  start();
  client_->send("GET /slow HT");
  EXPECT_TRUE(becomes(State::kHead));
  client_->send("TP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na");
  EXPECT_TRUE(becomes(State::kBody));
  client_->send("b");
  EXPECT_TRUE(becomes(State::kHandling));
  release();
  EXPECT_EQ(client_->response().body, "at last");
  EXPECT_TRUE(becomes(State::kIdle));
}

TEST_F(HttpConnectionTest, AnswersPipelinedRequestsInOrder) {
  start();
  client_->send(std::string(kHello) + "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx" + kHello);
  EXPECT_EQ(client_->response().body, "hello");
  EXPECT_EQ(client_->response().body, "x");
  EXPECT_EQ(client_->response().body, "hello");
}

TEST_F(HttpConnectionTest, LingersAfterItsLastResponseUntilTheClientHasLeft) {
  start();
  client_->send("nonsense\r\n\r\n");
  EXPECT_THAT(rest(), StartsWith("HTTP/1.1 400 "));
  EXPECT_TRUE(becomes(State::kLingering));
  client_->send("what is not read");
  client_->close();
  EXPECT_TRUE(becomes(std::nullopt));
}

TEST_F(HttpConnectionTest, IsClosedWhenItLingersForLong) {
  start();
  client_->send("GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(rest(), StartsWith("HTTP/1.1 200 "));
  ASSERT_TRUE(becomes(State::kLingering));
  pass_deadline();
  EXPECT_EQ(state(), std::nullopt);
}

TEST_F(HttpConnectionTest, TellsARefusedClientTheReason) {
  static const ConnectionRefusal kRefusal{429, "too many of you"};
  start({.refusal = &kRefusal});
  EXPECT_THAT(rest(), AllOf(StartsWith("HTTP/1.1 429 "), HasSubstr("too many of you")));
}

TEST_F(HttpConnectionTest, IsClosedWithoutAWordWhenItIsIdleForLong) {
  start();
  pass_deadline();
  EXPECT_EQ(state(), std::nullopt);
  EXPECT_EQ(rest(), "");
  EXPECT_EQ(metrics_->timeouts.value(), 0U);
}

TEST_F(HttpConnectionTest, TellsThatAHeadWasTooSlow) {
  start();
  client_->send("GET /hel");
  ASSERT_TRUE(becomes(State::kHead));
  pass_deadline();
  EXPECT_THAT(rest(), StartsWith("HTTP/1.1 408 "));
  EXPECT_EQ(metrics_->timeouts.value(), 1U);
}

TEST_F(HttpConnectionTest, HasNoDeadlineWhileItsRequestIsHandled) {
  start();
  client_->send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(becomes(State::kHandling));
  pass_deadline();
  EXPECT_EQ(state(), State::kHandling);
  release();
  EXPECT_EQ(client_->response().body, "at last");
}

TEST_F(HttpConnectionTest, ReadsNothingWhileAWorkerDecidesOnTheSender) {
  options_.plan = [this](const RequestHead&, const Peer&) {
    RequestPlan plan{.max_body = kibibytes(64)};
    plan.admit = [this](const RequestHead&, const Peer&) {
      released_.wait();
      return AdmitResult{HeadRefusal{403, "not you"}, nullptr};
    };
    return plan;
  };
  start();
  client_->send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab");
  EXPECT_TRUE(becomes(State::kAdmission));
  client_->send("cde");
  EXPECT_EQ(state(), State::kAdmission);
  release();
  EXPECT_THAT(rest(), AllOf(StartsWith("HTTP/1.1 403 "), HasSubstr("not you")));
}

TEST_F(HttpConnectionTest, WaitsForTheMemoryOfABodyOnDisk) {
  start_with_bodies_on_disk();
  const std::string body(5000, 'b');
  client_->send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n" + body);
  ASSERT_TRUE(becomes(State::kWaitingForMemory));
  EXPECT_EQ(memory_.used(), 0U);
  on_loop([&] {
    EXPECT_EQ(waiting_, 1);
    ByteBudget::Share others(&memory_);
    ASSERT_TRUE(others.raise_to(kibibytes(80).count()));
    EXPECT_FALSE(connection_->resume_with_memory());
    others.release();
    EXPECT_TRUE(connection_->resume_with_memory());
  });
  EXPECT_EQ(client_->response().body, body);
  EXPECT_TRUE(becomes(State::kIdle));
  EXPECT_EQ(memory_.used(), 0U);
}

TEST_F(HttpConnectionTest, RefusesWhatWaitedForMemoryInVain) {
  start_with_bodies_on_disk();
  client_->send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 500\r\n\r\n" + std::string(500, 'b'));
  ASSERT_TRUE(becomes(State::kWaitingForMemory));
  pass_deadline();
  EXPECT_THAT(rest(), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("--memory")));
}

TEST_F(HttpConnectionTest, LeavesTheFrontWithItsTicket) {
  const auto limiter = std::make_shared<AddressLimiter>(1);
  ConnectionPlace place;
  ASSERT_TRUE(limiter->admit("192.0.2.1", place.ticket));
  start(std::move(place));
  client_->send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  std::optional<HandedOverConnection> left = left_.get_future().get();
  EXPECT_TRUE(becomes(std::nullopt));
  EXPECT_TRUE(left->head.chunked);
  left->socket.send(left->head.bytes + "5\r\nevent\r\n");
  EXPECT_TRUE(client_->receive_until("event"));
  std::unique_ptr<AddressLimiter::Ticket> another;
  EXPECT_FALSE(limiter->admit("192.0.2.1", another));
  left.reset();
  EXPECT_TRUE(limiter->admit("192.0.2.1", another));
}

TEST_F(HttpConnectionTest, IsAnsweredByTheFastHandlerOnTheLoop) {
  fast_ = [this](const RequestHead& head, std::string_view body, Responder& responder) {
    loop_.assert_in_loop_thread();
    if (head.target != "/fast") return false;
    Responder(std::move(responder)).answer(200, "text/plain", "fast " + std::string(body));
    return true;
  };
  start();
  EXPECT_EQ(client_->post("/fast", "1").body, "fast 1");
  EXPECT_EQ(client_->post("/echo", "2").body, "2");
  EXPECT_TRUE(becomes(State::kIdle));
}

TEST_F(HttpConnectionTest, Answers500WhenTheFastHandlerThrows) {
  fast_ = [](const RequestHead&, std::string_view, Responder&) -> bool { throw std::runtime_error("inside"); };
  start();
  client_->send(kHello);
  EXPECT_THAT(rest(), StartsWith("HTTP/1.1 500 "));
}

TEST_F(HttpConnectionTest, EndsWhenItDrainsUnlessARequestIsHandled) {
  start();
  client_->send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(becomes(State::kHandling));
  draining_ = true;
  on_loop([&] { connection_->drain(); });
  EXPECT_EQ(state(), State::kHandling);
  release();
  EXPECT_THAT(rest(), AllOf(HasSubstr("\r\nConnection: close\r\n"), HasSubstr("at last")));
}

TEST_F(HttpConnectionTest, EndsIdleWhenItDrains) {
  start();
  draining_ = true;
  on_loop([&] { connection_->drain(); });
  EXPECT_TRUE(becomes(std::nullopt));
  EXPECT_EQ(rest(), "");
}

// Many of them are idle at the same time. A larger one wants a reason.
TEST(HttpConnection, IsSmall) {
  EXPECT_LE(sizeof(HttpConnection), 640U);
}

}  // namespace
}  // namespace sse::net
