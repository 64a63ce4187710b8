#include "net/http_front.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "net/httplib_app.h"
#include "unit/net/loopback.h"

namespace sse::net {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using testing::Client;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Response;
using ::testing::StartsWith;

constexpr std::size_t kWorkers = 2;
constexpr std::size_t kHuge = 16 * 1024 * 1024;

std::size_t threads_of_process() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

// A front with a few routes on a free port.
class HttpFrontTest : public ::testing::Test {
 protected:
  HttpFrontTest() {
    options_.name = "test";
    options_.max_body = kibibytes(64);
    app_.Get("/hello", [this](const httplib::Request&, httplib::Response& res) {
      ++hellos_;
      res.set_content("hello", "text/plain");
    });
    app_.Post("/echo", [](const httplib::Request& req, httplib::Response& res) {
      res.set_content(req.body, "application/octet-stream");
    });
    app_.Get("/smuggled", [this](const httplib::Request&, httplib::Response&) { ++smuggled_; });
    app_.Get("/who", [](const httplib::Request& req, httplib::Response& res) {
      std::string all = req.remote_addr;
      for (std::size_t i = 0; i < req.get_header_value_count("REMOTE_ADDR"); ++i)
        all += " " + req.get_header_value("REMOTE_ADDR", i);
      res.set_content(all, "text/plain");
    });
    app_.Get("/headers", [](const httplib::Request& req, httplib::Response& res) {
      res.set_content(req.get_header_value("X-Sse-User") + "|" + req.get_header_value("Cookie") + "|" +
                          req.get_header_value("X-Other"),
                      "text/plain");
    });
    app_.Get("/slow", [this](const httplib::Request&, httplib::Response& res) {
      ++slow_;
      released_.wait();
      res.set_content("at last", "text/plain");
    });
    app_.Get("/huge", [](const httplib::Request&, httplib::Response& res) {
      res.set_content(std::string(kHuge, 'x'), "text/plain");
    });
    app_.Get("/throw",
             [](const httplib::Request&, httplib::Response&) { throw std::runtime_error("the secret of the inside"); });
    app_.Get("/stream", [this](const httplib::Request& req, httplib::Response& res) {
      HttplibApp::hand_over(req, res, "text/event-stream", [this](HandedOverConnection connection) {
        const MutexLock lock(mutex_);
        connection.counted.reset();
        streams_.push_back(std::move(connection));
      });
    });
  }
  ~HttpFrontTest() override {
    release();
    if (!front_) return;
    workers_->stop();
    loop_.stop();
  }

  void start(std::size_t queue = 1000) {
    start_front_only(queue);
    run();
  }
  void start_front_only(std::size_t queue = 1000) {
    workers_ = std::make_unique<WorkerPool>("test-worker", 0, kWorkers, queue);
    front_ = std::make_unique<HttpFront>(loop_, listener_, app_, *workers_, options_, metrics_, [this] {
      const MutexLock lock(mutex_);
      return streams_.size();
    });
  }
  void run() {
    loop_.start();
    front_->start();
  }
  Client client(int receive_buffer = 0) { return Client::tcp(listener_.address().port, receive_buffer); }
  void release() {
    if (!std::exchange(was_released_, true)) release_.set_value();
  }
  std::size_t stream_count() {
    const MutexLock lock(mutex_);
    return streams_.size();
  }
  void end_streams() {
    const MutexLock lock(mutex_);
    streams_.clear();
  }
  // Waits for a condition; time goes on meanwhile, and stands still otherwise.
  bool eventually(const std::function<bool()>& condition) {
    return clock_.advance_until(std::chrono::milliseconds(1), condition, testing::kSocketTimeout);
  }
  // Everything that was due before the call has been done.
  void settle() {
    // A turn runs its tasks before its timers: the second task comes after the first one's turn.
    for (int i = 0; i < 2; ++i) {
      std::promise<void> ran;
      loop_.post([&] { ran.set_value(); });
      ran.get_future().wait();
    }
  }
  // The whole answer to `text`, of a connection that the server then ends.
  std::string answer_and_end(const std::string& text) {
    Client c = client();
    c.send(text);
    EXPECT_TRUE(c.receive_all()) << "the connection stayed open after: " << text;
    return c.received();
  }
  // The same, of one that the server ends because of its time.
  std::string answer_and_end_in_time(const std::string& text, milliseconds step = milliseconds(100)) {
    Client c = client();
    c.send(text);
    EXPECT_TRUE(c.receive_all(clock_, step)) << "the connection stayed open after: " << text;
    return c.received();
  }

  FrontOptions options_;
  observe::Registry metrics_;
  std::atomic<int> hellos_{0};
  std::atomic<int> smuggled_{0};
  std::atomic<int> slow_{0};
  Mutex mutex_;
  std::vector<HandedOverConnection> streams_ GUARDED_BY(mutex_);
  HttplibApp app_;
  Listener listener_{ListenAddress::parse("127.0.0.1:0"), "--listen"};
  ManualClock clock_;
  EventLoop loop_{"test-front", clock_};
  std::unique_ptr<WorkerPool> workers_;
  std::unique_ptr<HttpFront> front_;

  std::promise<void> release_;
  std::shared_future<void> released_{release_.get_future()};
  bool was_released_ = false;
};

TEST_F(HttpFrontTest, AnswersOneRequestAfterAnotherOnOneConnection) {
  start();
  Client c = client();
  for (int i = 0; i < 5; ++i) {
    const Response got = c.get("/hello");
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.body, "hello");
    EXPECT_EQ(c.post("/echo", "body " + std::to_string(i)).body, "body " + std::to_string(i));
  }
  EXPECT_EQ(front_->open(), 1U);
}

TEST_F(HttpFrontTest, Answers500WhereWhatLooksAtARequestFirstThrows) {
  app_.set_interceptor([](std::string_view request, const Peer&, bool, const RequestExtras&) -> std::optional<Reply> {
    if (request.starts_with("GET /hello?throw")) throw 7;
    return std::nullopt;
  });
  start();
  EXPECT_EQ(client().get("/hello?throw").status, 500);
  EXPECT_EQ(client().get("/hello").status, 200);
}

TEST_F(HttpFrontTest, AnswersARequestThatComesByteByByte) {
  start();
  Client c = client();
  for (const char byte : std::string("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")) {
    c.send({&byte, 1});
    std::this_thread::yield();
  }
  EXPECT_EQ(c.response().body, "abc");
}

TEST_F(HttpFrontTest, TakesABodyOfManyReads) {
  options_.max_body = mebibytes(8);
  start();
  Client c = client();
  const std::string body(3'000'000, 'b');
  app_.set_payload_max_length(mebibytes(8).count());
  EXPECT_TRUE(c.post("/echo", body).body == body);
}

class QuickFrontTest : public HttpFrontTest {
 protected:
  // /quick is answered by a thread of its own, /dropped by none, all else by the workers.
  void start_quick() {
    start_front_only();
    front_->set_fast_handler([this](const RequestHead& head, std::string_view body, HttpFront::Responder& responder) {
      if (head.target == "/dropped") {
        const HttpFront::Responder dropped(std::move(responder));
        return true;
      }
      if (head.target != "/quick") return false;
      const auto mine = std::make_shared<HttpFront::Responder>(std::move(responder));
      const MutexLock lock(mutex_);
      answerers_.emplace_back([mine, text = std::string(body)] { mine->answer(200, "text/plain", "quick " + text); });
      return true;
    });
    run();
  }
  ~QuickFrontTest() override {
    std::vector<std::thread> answerers;
    {
      const MutexLock lock(mutex_);
      answerers.swap(answerers_);
    }
    for (std::thread& answerer : answerers) answerer.join();
  }

  std::vector<std::thread> answerers_ GUARDED_BY(mutex_);
};

TEST_F(QuickFrontTest, LetsARequestBeAnsweredFromAnyThreadInTheOrderTheyCame) {
  start_quick();
  Client c = client();
  c.send(
      "POST /quick HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1"
      "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
      "POST /quick HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n2");
  EXPECT_EQ(c.response().body, "quick 1");
  EXPECT_EQ(c.response().body, "hello");
  EXPECT_EQ(c.response().body, "quick 2");
  c.send("POST /quick HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\n3");
  EXPECT_TRUE(c.receive_all());
  EXPECT_THAT(c.received(), AllOf(HasSubstr("Connection: close\r\n"), HasSubstr("quick 3")));
}

TEST_F(QuickFrontTest, AnswersForAResponderThatWasDropped) {
  start_quick();
  Client c = client();
  c.send("GET /dropped HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(c.response().status, 503);
}

TEST_F(HttpFrontTest, EndsTheConnectionWhenTheClientAsksForIt) {
  start();
  EXPECT_THAT(answer_and_end("GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("Connection: close\r\n")));
  EXPECT_THAT(answer_and_end("GET /hello HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpFrontTest, AnswersAClientThatHasFinishedSending) {
  start();
  Client c = client();
  c.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  c.finish();
  EXPECT_EQ(c.response().body, "hello");
  EXPECT_TRUE(c.receive_all());
}

TEST_F(HttpFrontTest, AnswersHeadWithoutABody) {
  start();
  Client c = client();
  c.send("HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  const Response head = c.response(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("Content-Length"), "5");
  EXPECT_EQ(c.get("/hello").body, "hello");
}

TEST_F(HttpFrontTest, AnswersHeadOfAStreamWithoutHandingItOver) {
  start();
  Client c = client();
  c.send("HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(c.response(true).status, 200);
  EXPECT_EQ(stream_count(), 0U);
}

TEST_F(HttpFrontTest, SaysOfNoStreamThatItCanBeHadInParts) {
  start();
  Client c = client();
  c.send("HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(c.response(true).header("Accept-Ranges"), "");
  c.send("HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(c.response(true).header("Accept-Ranges"), "");
}

TEST_F(HttpFrontTest, SaysNothingOfALengthWhereThereIsNoContent) {
  app_.Post("/nothing", [](const httplib::Request&, httplib::Response& res) { res.status = 204; });
  start();
  Client c = client();
  const Response got = c.post("/nothing", "x");
  EXPECT_EQ(got.status, 204);
  EXPECT_THAT(got.head, Not(HasSubstr("Content-Length")));
  EXPECT_EQ(c.get("/hello").body, "hello");
}

// RFC 9110 §6.6.1
TEST_F(HttpFrontTest, DatesEveryAnswer) {
  start();
  const auto dates = [](const std::string& head) {
    std::size_t n = 0;
    for (auto at = head.find("\r\nDate: "); at != std::string::npos; at = head.find("\r\nDate: ", at + 1)) ++n;
    return n;
  };
  Client c = client();
  EXPECT_EQ(dates(c.get("/hello").head), 1U);
  EXPECT_EQ(dates(c.get("/missing").head), 1U);
  EXPECT_EQ(dates(c.get("/throw").head), 1U);
  c.send("HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(dates(c.response(true).head), 1U);
  EXPECT_EQ(dates(answer_and_end("nonsense\r\n\r\n")), 1U);
  EXPECT_EQ(dates(answer_and_end("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 70000\r\n\r\n")), 1U);
  Client s = client();
  s.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return stream_count() == 1; }));
  const MutexLock lock(mutex_);
  EXPECT_EQ(dates(streams_.front().head.bytes), 1U) << streams_.front().head.bytes;
}

TEST_F(HttpFrontTest, TellsAClientThatExpectsItToContinue) {
  start();
  Client c = client();
  c.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  ASSERT_TRUE(c.receive_until("\r\n\r\n"));
  EXPECT_EQ(c.take(), "HTTP/1.1 100 Continue\r\n\r\n");
  c.send("abc");
  EXPECT_EQ(c.response().body, "abc");
}

TEST_F(HttpFrontTest, DoesNotInviteABodyItWouldRefuse) {
  start();
  EXPECT_THAT(answer_and_end("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 70000\r\nExpect: 100-continue\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
}

// The facts about cpp-httplib 0.11.4 that the front covers, one by one.

TEST_F(HttpFrontTest, HttplibFact_RefusesContentLengthWithTransferEncoding) {
  start();
  const std::string answer = answer_and_end(
      "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
      "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 "));
  EXPECT_EQ(smuggled_, 0);
}

TEST_F(HttpFrontTest, HttplibFact_RefusesDoubledContentLength) {
  start();
  EXPECT_THAT(answer_and_end("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 36\r\n\r\n"
                             "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"),
              StartsWith("HTTP/1.1 400 "));
  EXPECT_EQ(smuggled_, 0);
}

TEST_F(HttpFrontTest, HttplibFact_RefusesBareLf) {
  start();
  EXPECT_THAT(answer_and_end("GET /hello HTTP/1.1\nHost: h\n\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_EQ(hellos_, 0);
}

TEST_F(HttpFrontTest, HttplibFact_AnswersAPostWithoutLengthAtOnce) {
  start();
  Client c = client();
  c.send("POST /echo HTTP/1.1\r\nHost: h\r\n\r\n");
  const Response got = c.response();
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.body, "");
  EXPECT_EQ(c.get("/hello").body, "hello");
}

TEST_F(HttpFrontTest, HttplibFact_DoesNotTakeTheBodyOfAGetForARequest) {
  start();
  Client c = client();
  const std::string body = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
  c.send("GET /hello HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  EXPECT_EQ(c.response().body, "hello");
  EXPECT_EQ(c.post("/echo", "next").body, "next");
  EXPECT_EQ(smuggled_, 0);
}

TEST_F(HttpFrontTest, HttplibFact_LimitsChunkedBodies) {
  start();
  const std::string chunk = "4000\r\n" + std::string(0x4000, 'x') + "\r\n";
  const std::string head = "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  Client c = client();
  c.send(head + chunk + chunk + chunk + chunk + "0\r\n\r\n");
  EXPECT_EQ(c.response().body.size(), 0x10000U);
  EXPECT_THAT(answer_and_end(head + chunk + chunk + chunk + chunk + chunk), StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(answer_and_end(head + "5\r\nhello!\r\n"), StartsWith("HTTP/1.1 400 "));
}

TEST_F(HttpFrontTest, HttplibFact_LimitsBodiesOfGivenLength) {
  start();
  EXPECT_THAT(answer_and_end("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpFrontTest, HttplibFact_TakesNoCompressedBodies) {
  start();
  EXPECT_THAT(
      answer_and_end("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
      StartsWith("HTTP/1.1 415 "));
}

TEST_F(HttpFrontTest, HttplibFact_AnswersAllPipelinedRequestsInOrder) {
  start();
  Client c = client();
  std::string all;
  for (int i = 0; i < 50; ++i) {
    const std::string body = std::to_string(i);
    all += "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  c.send(all);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(c.response().body, std::to_string(i));
}

TEST_F(HttpFrontTest, HttplibFact_EndsTheConnectionAfterA400) {
  start();
  const std::string answer =
      answer_and_end("GET  / HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("Connection: close\r\n")));
  EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos);
  EXPECT_EQ(smuggled_, 0);
}

TEST_F(HttpFrontTest, HttplibFact_DoesNotBelieveARemoteAddrHeader) {
  start();
  Client c = client();
  EXPECT_EQ(c.get("/who", "REMOTE_ADDR: 6.6.6.6\r\nremote_addr: 7.7.7.7\r\n").body, "127.0.0.1");
}

TEST_F(HttpFrontTest, HttplibFact_DecodesNoHeaderValues) {
  start();
  EXPECT_EQ(client().get("/headers", "X-Sse-User: a%64min\r\nCookie: t=%41%25%u0041\r\nX-Other: %0d%0aX: y\r\n").body,
            "a%64min|t=%41%25%u0041|%0d%0aX: y");
  EXPECT_EQ(client().get("/headers", "Cookie: a=%31\r\nX-Other: 1\r\ncookie: b=2\r\n").body, "|a=%31; b=2|1");
}

TEST_F(HttpFrontTest, HttplibFact_ShowsNoExceptionTextInAHeader) {
  start();
  Client c = client();
  const Response got = c.get("/throw");
  EXPECT_EQ(got.status, 500);
  EXPECT_THAT(got.head, Not(HasSubstr("secret")));
  EXPECT_THAT(got.body, Not(HasSubstr("secret")));
}

TEST_F(HttpFrontTest, HttplibFact_IdleConnectionsTakeNoWorker) {
  start();
  std::vector<Client> idle;
  for (std::size_t i = 0; i < 10 * kWorkers; ++i) {
    idle.push_back(client());
    EXPECT_EQ(idle.back().get("/hello").status, 200);
  }
  Client c = client();
  EXPECT_EQ(c.get("/hello").body, "hello");
  EXPECT_EQ(idle.front().get("/hello").body, "hello");
  EXPECT_LE(workers_->threads(), kWorkers);
}

TEST_F(HttpFrontTest, HttplibFact_StreamsTakeNoThread) {
  start();
  Client c = client();
  ASSERT_EQ(c.get("/hello").status, 200);
  std::vector<Client> open;
  for (int i = 0; i < 10; ++i) {
    open.push_back(client());
    open.back().send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  }
  ASSERT_TRUE(eventually([&] { return stream_count() == 10 && front_->open() == 1; }));
  const std::size_t before = threads_of_process();
  for (int i = 0; i < 200; ++i) {
    open.push_back(client());
    open.back().send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  }
  ASSERT_TRUE(eventually([&] { return stream_count() == 210 && front_->open() == 1; }));
  EXPECT_LE(threads_of_process(), before + kWorkers);
  EXPECT_EQ(c.get("/hello").body, "hello");
}

TEST_F(HttpFrontTest, HandsAStreamOverWithItsHeadStillToBeWritten) {
  start();
  Client c = client();
  c.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return stream_count() == 1 && front_->open() == 0; }));
  {
    const MutexLock lock(mutex_);
    const HandedOverConnection& stream = streams_.front();
    EXPECT_TRUE(stream.head.chunked);
    EXPECT_THAT(stream.head.bytes,
                AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("Content-Type: text/event-stream\r\n"),
                      Not(HasSubstr("Keep-Alive")), Not(HasSubstr("Content-Length")),
                      ::testing::EndsWith("\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n")));
    const std::string all = stream.head.bytes + "data: 1\n\n";
    EXPECT_EQ(::send(stream.socket.fd.get(), all.data(), all.size(), MSG_NOSIGNAL), static_cast<ssize_t>(all.size()));
  }
  EXPECT_TRUE(c.receive_until("\r\n\r\ndata: 1\n\n"));
  EXPECT_THAT(c.received(), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(smuggled_, 0);
  end_streams();
}

// RFC 9112 §6.1: a server must not send a transfer coding to a client that speaks HTTP/1.0.
TEST_F(HttpFrontTest, ChunksNoStreamOfHttp10) {
  start();
  for (const char* connection : {"", "Connection: keep-alive\r\n"}) {
    Client c = client();
    c.send(std::string("GET /stream HTTP/1.0\r\n") + connection + "\r\n");
    ASSERT_TRUE(eventually([&] { return stream_count() == 1; }));
    {
      const MutexLock lock(mutex_);
      EXPECT_FALSE(streams_.front().head.chunked);
      EXPECT_THAT(streams_.front().head.bytes, AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), Not(HasSubstr("chunked"))));
    }
    end_streams();
  }
}

// Both ways: a client that asked for the end of the connection is not told so twice.
TEST_F(HttpFrontTest, SaysOnceThatTheConnectionClosesBehindAStream) {
  start();
  Client c = client();
  c.send("GET /stream HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return stream_count() == 1; }));
  const MutexLock lock(mutex_);
  const std::string& head = streams_.front().head.bytes;
  EXPECT_NE(head.find("Connection: "), std::string::npos);
  EXPECT_EQ(head.find("Connection: "), head.rfind("Connection: "));
}

TEST_F(HttpFrontTest, TellsAClientWhoseHeadIsTooSlow) {
  start();
  EXPECT_THAT(answer_and_end_in_time("GET /hello HTTP/1.1\r\nHost:"), StartsWith("HTTP/1.1 408 "));
  Client c = client();
  EXPECT_EQ(c.get("/hello").status, 200);
}

TEST_F(HttpFrontTest, TellsAClientWhoseBodyIsTooSlow) {
  start();
  EXPECT_THAT(answer_and_end_in_time("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nab"),
              StartsWith("HTTP/1.1 408 "));
}

TEST_F(HttpFrontTest, EndsAConnectionThatIsIdleForLong) {
  start();
  EXPECT_EQ(answer_and_end_in_time("", std::chrono::seconds(1)), "");
  Client c = client();
  EXPECT_EQ(c.get("/hello").status, 200);
  EXPECT_TRUE(c.receive_all(clock_, std::chrono::seconds(1)));
}

TEST_F(HttpFrontTest, DoesNotHurryTheHandler) {
  start();
  Client c = client();
  c.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return slow_ == 1; }));
  for (int minute = 0; minute < 10; ++minute) {
    clock_.advance(std::chrono::minutes(1));
    settle();
  }
  EXPECT_FALSE(c.receive_some(milliseconds(0)));
  release();
  EXPECT_EQ(c.response().body, "at last");
}

TEST_F(HttpFrontTest, RefusesAHeadOf17KiBAndALongPath) {
  start();
  EXPECT_THAT(answer_and_end("GET /hello HTTP/1.1\r\nHost: h\r\nX: " + std::string(17 * 1024, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(answer_and_end("GET /" + std::string(2000, 'x') + " HTTP/1.1\r\nHost: h\r\n\r\n"),
              StartsWith("HTTP/1.1 414 "));
  EXPECT_THAT(answer_and_end("\x16\x03\x01"), StartsWith("HTTP/1.1 400 "));
}

TEST_F(HttpFrontTest, RefusesMoreConnectionsThanItMayHold) {
  options_.max_connections = 2;
  start();
  Client first = client();
  EXPECT_EQ(first.get("/hello").status, 200);
  Client stream = client();
  stream.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return stream_count() == 1 && front_->open() == 1; }));
  const std::string refusal = answer_and_end("");
  EXPECT_THAT(refusal, AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("--max-connections")));
  EXPECT_EQ(first.get("/hello").status, 200);
  end_streams();
  EXPECT_TRUE(eventually([&] { return client().get("/hello").status == 200; }));
}

TEST_F(HttpFrontTest, RefusesMoreConnectionsOfAnAddressThanItMayHaveAndCountsItsStreams) {
  options_.max_per_address = 2;
  start();
  std::optional<Client> first = client();
  EXPECT_EQ(first->get("/hello").status, 200);
  Client stream = client();
  stream.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return stream_count() == 1 && front_->open() == 1; }));
  EXPECT_THAT(answer_and_end(""), AllOf(StartsWith("HTTP/1.1 429 "), HasSubstr("--max-connections-per-ip")));
  EXPECT_EQ(first->get("/hello").status, 200);
  // A connection that ends makes room, and so does a stream.
  first->close();
  EXPECT_TRUE(eventually([&] { return client().get("/hello").status == 200; }));
  end_streams();
  std::vector<Client> two;
  EXPECT_TRUE(eventually([&] {
    two.clear();
    two.push_back(client());
    two.push_back(client());
    return two[0].get("/hello").status == 200 && two[1].get("/hello").status == 200;
  }));
}

TEST_F(HttpFrontTest, CountsWhatAProxyForwardsByTheAddressItTells) {
  options_.max_per_address = 1;
  options_.is_proxy = [](const std::string& peer) { return peer == "127.0.0.1"; };
  options_.client_address = [](const std::string&, const RequestHead& head) {
    return joined_header(head, "X-Forwarded-For");
  };
  start();
  const auto from = [](const std::string& address) { return "X-Forwarded-For: " + address + "\r\n"; };
  const auto stream_of = [&](const std::string& address) {
    Client opened = client();
    opened.send("GET /stream HTTP/1.1\r\nHost: h\r\n" + from(address) + "\r\n");
    return opened;
  };
  // The proxy's own connections are many, and all of one address.
  std::vector<Client> kept;
  for (int i = 0; i < 5; ++i) {
    kept.push_back(client());
    EXPECT_EQ(kept.back().get("/hello", from("203.0.113.7")).status, 200) << "requests that are over count no more";
  }
  const Client first = stream_of("203.0.113.7");
  ASSERT_TRUE(eventually([&] { return stream_count() == 1; }));
  EXPECT_EQ(kept[0].get("/hello", from("203.0.113.7")).status, 429);
  EXPECT_EQ(kept[1].get("/hello", from("203.0.113.8")).status, 200);
  const Client second = stream_of("2001:db8:1:2::1");
  ASSERT_TRUE(eventually([&] { return stream_count() == 2; }));
  EXPECT_EQ(kept[2].get("/hello", from("2001:db8:1:2:ffff::9")).status, 429) << "of the same /64";
  EXPECT_EQ(kept[3].get("/hello", from("2001:db8:1:3::1")).status, 200);
  end_streams();
  EXPECT_EQ(kept[4].get("/hello", from("203.0.113.7")).status, 200);
}

TEST_F(HttpFrontTest, RefusesRequestsWhenTooManyWait) {
  start(1);
  std::vector<Client> busy;
  for (std::size_t i = 0; i < kWorkers; ++i) {
    busy.push_back(client());
    busy.back().send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
    ASSERT_TRUE(eventually([&] { return slow_ == static_cast<int>(i + 1); }));
  }
  Client waiting = client();
  waiting.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(eventually([&] {
    Client c = client();
    c.send("GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    return c.receive_some(milliseconds(100)) && c.received().starts_with("HTTP/1.1 503 ");
  }));
  release();
  EXPECT_EQ(busy.front().response().body, "at last");
  EXPECT_EQ(waiting.response().body, "hello");
}

// With a plan that knows one path and asks who sends a body to it.
class HeadDecidesTest : public HttpFrontTest {
 protected:
  HeadDecidesTest() {
    options_.plan = [this](const RequestHead& head, const Peer&) {
      RequestPlan plan{.max_body = mebibytes(16)};
      if (!head.target.starts_with("/echo")) plan.refusal = HeadRefusal{404, "there is no such path", "X-More: 1\r\n"};
      plan.admit = [this](const RequestHead& of, const Peer& peer) {
        ++asked_;
        EXPECT_EQ(peer.address, "127.0.0.1");
        AdmitResult result;
        if (header_value(of, "X-Wait") == "yes") released_.wait();
        if (header_value(of, "X-User").empty()) result.refusal = HeadRefusal{401, "who are you"};
        return result;
      };
      return plan;
    };
  }
  ~HeadDecidesTest() override { release(); }

  // What the other side's socket takes of a body that is not read.
  static std::size_t push(Client& c, std::size_t max_bytes) {
    const std::string piece(65536, 'x');
    std::size_t sent = 0;
    while (sent < max_bytes) {
      const ssize_t n =
          ::send(c.fd(), piece.data(), std::min(piece.size(), max_bytes - sent), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n <= 0) break;
      sent += static_cast<std::size_t>(n);
    }
    return sent;
  }

  std::atomic<int> asked_{0};
};

TEST_F(HeadDecidesTest, RefusesAnUnknownPathWithTheBodyUnread) {
  start();
  const std::string answer =
      answer_and_end("POST /nowhere HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 10000000\r\n\r\n");
  EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 404 Not Found\r\n"), HasSubstr("\r\nX-More: 1\r\n"),
                            HasSubstr("\r\nConnection: close\r\n"), HasSubstr("there is no such path")));
  EXPECT_EQ(asked_, 0);
}

TEST_F(HeadDecidesTest, ReadsNothingUntilItKnowsWhoSendsIt) {
  start();
  Client c = client();
  c.send(
      "POST /echo HTTP/1.1\r\nHost: h\r\nX-Wait: yes\r\nX-User: a\r\nExpect: 100-continue\r\n"
      "Content-Length: 12000000\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return asked_ == 1; }));
  EXPECT_FALSE(c.receive_some(milliseconds(50))) << "it was invited before: " << c.received();
  // Two sockets' buffers, and no more.
  std::size_t sent = 0;
  for (int i = 0; i < 20; ++i) {
    sent += push(c, 12'000'000 - sent);
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_LT(sent, 12'000'000U);
  release();
  EXPECT_TRUE(c.send(std::string(12'000'000 - sent, 'x')));
  EXPECT_EQ(c.response().status, 100);
  const auto response = c.response();
  EXPECT_EQ(response.status, 200) << response.body.substr(0, 200);
  EXPECT_EQ(response.body.size(), 12'000'000U);
}

TEST_F(HeadDecidesTest, InvitesTheBodyOfWhoIsKnown) {
  start();
  Client c = client();
  c.send("POST /echo HTTP/1.1\r\nHost: h\r\nX-User: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  ASSERT_TRUE(c.receive_until("\r\n\r\n"));
  EXPECT_EQ(c.take(), "HTTP/1.1 100 Continue\r\n\r\n");
  c.send("abc");
  EXPECT_EQ(c.response().body, "abc");
  // In chunks, too, and on the same connection.
  c.send("POST /echo HTTP/1.1\r\nHost: h\r\nX-User: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  EXPECT_EQ(c.response().body, "abc");
}

TEST_F(HeadDecidesTest, RefusesTheBodyOfWhoIsNot) {
  start();
  EXPECT_THAT(
      answer_and_end("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000\r\n\r\n" + std::string(100'000, 'x')),
      AllOf(StartsWith("HTTP/1.1 401 "), HasSubstr("who are you")));
  EXPECT_EQ(asked_, 1);
}

TEST_F(HttpFrontTest, TakesNoMultipartBodyWhereNoneIsExpected) {
  start();
  for (const char* type : {"multipart/form-data; boundary=b", "Multipart/mixed", "m%75ltipart/form-data"}) {
    EXPECT_THAT(answer_and_end("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Type: " + std::string(type) +
                               "\r\nContent-Length: 3\r\n\r\nabc"),
                StartsWith("HTTP/1.1 415 "))
        << type;
  }
}

TEST_F(HttpFrontTest, HttplibFact_NeverSeesAMultipartBody) {
  for (const char* type : {"multipart/form-data; boundary=b", "m%75ltipart/form-data; boundary=b"}) {
    std::string seen = "-";
    app_.Post("/parts", [&](const httplib::Request& req, httplib::Response&) {
      EXPECT_EQ(req.body, "");
      EXPECT_FALSE(req.is_multipart_form_data());
      ASSERT_NE(HttplibApp::multipart_body(req), nullptr);
      seen = HttplibApp::multipart_body(req)->content_type() + "|";
      HttplibApp::multipart_body(req)->read([&](std::string_view piece) { seen.append(piece); });
    });
    const Reply reply = app_.process(
        "POST /parts HTTP/1.1\r\nHost: h\r\ncontent-TYPE: " + std::string(type) + "\r\nContent-Length: 6\r\n\r\n--b--x",
        {"127.0.0.1", 1}, true);
    EXPECT_THAT(reply.bytes, StartsWith("HTTP/1.1 200 "));
    EXPECT_THAT(seen, HasSubstr("boundary=b|--b--x"));
    EXPECT_EQ(HttplibApp::multipart_body(httplib::Request()), nullptr);
  }
}

// With threads that write to disk, and little memory.
class BodyMemoryTest : public HttpFrontTest {
 protected:
  BodyMemoryTest() {
    options_.max_body = mebibytes(4);
    options_.memory = &memory_;
    options_.disk = &disk_;
    app_.Post("/wait", [this](const httplib::Request& req, httplib::Response& res) {
      ++slow_;
      released_.wait();
      res.set_content(std::to_string(req.body.size()), "text/plain");
    });
  }
  ~BodyMemoryTest() override {
    release();
    spoolers_.stop();
  }
  void spool() {
    options_.spoolers = &spoolers_;
    options_.spool_folder = folder_.file("");
  }
  static std::string post(const std::string& target, std::size_t length, std::size_t sent) {
    return "POST " + target + " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n" +
           std::string(sent, 'x');
  }

  testing::TempFolder folder_;
  WorkerPool spoolers_{"test-spool", 0, 1, 1000};
  ByteBudget memory_{kibibytes(300), "--memory-option"};
  ByteBudget disk_{mebibytes(3), "--disk-option"};
};

TEST_F(BodyMemoryTest, PutsLargeBodiesOnDiskAndGivesEverythingBack) {
  spool();
  start();
  Client c = client();
  for (const std::size_t size : {1U, 65'536U, 65'537U, 300'000U, 200'000U}) {
    const std::string body(size, 'y');
    EXPECT_EQ(c.post("/echo", body).body, body) << size;
  }
  EXPECT_EQ(c.get("/hello").body, "hello");
  EXPECT_EQ(memory_.used(), 0U);
  EXPECT_EQ(disk_.used(), 0U);
}

TEST_F(BodyMemoryTest, RefusesABodyForWhichThereIsNoMemory) {
  start();
  Client first = client();
  first.send(post("/echo", 250'000, 240'000));
  ASSERT_TRUE(eventually([&] { return memory_.used() == 240'000; }));
  EXPECT_THAT(answer_and_end(post("/echo", 250'000, 240'000)),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("--memory-option"), HasSubstr("\r\nRetry-After: ")));
  EXPECT_EQ(memory_.used(), 240'000U);
  first.close();
  EXPECT_TRUE(eventually([&] { return memory_.used() == 0; }));
}

TEST_F(BodyMemoryTest, LetsABodyOnDiskWaitForMemory) {
  spool();
  start();
  Client first = client();
  Client second = client();
  second.follow(clock_);
  first.send(post("/wait", 200'000, 200'000));
  ASSERT_TRUE(eventually([&] { return slow_ == 1; }));
  second.send(post("/wait", 200'000, 200'000));
  ASSERT_TRUE(eventually([&] { return disk_.used() == 2 * mebibytes(1).count(); }));
  // Others have theirs.
  EXPECT_EQ(client().post("/echo", "abc").body, "abc");
  EXPECT_EQ(slow_, 1);
  release();
  EXPECT_EQ(first.response().body, "200000");
  EXPECT_EQ(second.response().body, "200000");
  EXPECT_TRUE(eventually([&] { return memory_.used() == 0 && disk_.used() == 0; }));
}

TEST_F(BodyMemoryTest, RefusesWhatNoMemoryComesFreeFor) {
  spool();
  options_.body_timeout = milliseconds(300);
  start();
  Client first = client();
  first.send(post("/wait", 200'000, 200'000));
  ASSERT_TRUE(eventually([&] { return slow_ == 1; }));
  EXPECT_THAT(answer_and_end_in_time(post("/wait", 200'000, 200'000)),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("--memory-option")));
  EXPECT_THAT(answer_and_end_in_time(post("/wait", 400'000, 400'000)),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("--memory-option")));
  release();
  EXPECT_EQ(first.response().body, "200000");
}

TEST_F(BodyMemoryTest, BoundsWhatIsOnDisk) {
  spool();
  start();
  std::vector<Client> held;
  for (int i = 0; i < 3; ++i) {
    held.push_back(client());
    held.back().send(post("/echo", 250'000, 70'000));
  }
  // Each has written its 64 KiB, and has little more in memory.
  ASSERT_TRUE(
      eventually([&] { return disk_.used() == mebibytes(3).count() && memory_.used() < kibibytes(20).count(); }));
  EXPECT_THAT(answer_and_end(post("/echo", 250'000, 200'000)),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("--disk-option")));
  held.clear();
  EXPECT_TRUE(eventually([&] { return disk_.used() == 0 && memory_.used() == 0; }));
}

TEST_F(HttpFrontTest, ConnectionsItHasRefusedDoNotCount) {
  options_.max_connections = 4;
  options_.max_per_address = 2;
  start();
  std::vector<Client> admitted;
  for (int i = 0; i < 2; ++i) {
    admitted.push_back(client());
    EXPECT_EQ(admitted.back().get("/hello").status, 200);
  }
  std::vector<Client> refused;
  for (int i = 0; i < 300; ++i) refused.push_back(client());
  // All have been looked at once one that came later has been. Few of them may stay.
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
  sockaddr_in to = from;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(static_cast<std::uint16_t>(listener_.address().port));
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from), 0);
  ASSERT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  Client other(std::move(fd));
  EXPECT_EQ(other.get("/hello").status, 200);
  EXPECT_LE(front_->open(), 3U + 64U);
  EXPECT_THAT(answer_and_end(""), HasSubstr("--max-connections-per-ip"));
  EXPECT_EQ(admitted.front().get("/hello").status, 200);
}

TEST_F(HttpFrontTest, ForgetsAClientThatLeftWhileItsRequestWasHandled) {
  start();
  Client gone = client();
  gone.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return slow_ == 1; }));
  gone.reset();
  Client half = client();
  half.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return slow_ == 2; }));
  half.close();
  release();
  EXPECT_TRUE(eventually([&] { return front_->open() == 0; }));
  Client c = client();
  EXPECT_EQ(c.get("/hello").status, 200);
}

TEST_F(HttpFrontTest, ForgetsAClientThatLeavesInTheMiddle) {
  start();
  client().send("GET /hel");
  client().send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nab");
  client().reset();
  client();
  EXPECT_TRUE(eventually([&] { return front_->open() == 0; }));
}

TEST_F(HttpFrontTest, WritesAHugeAnswerToASlowReaderWithoutHoldingAWorker) {
  start();
  std::vector<Client> slow;
  for (std::size_t i = 0; i < 2 * kWorkers; ++i) {
    slow.push_back(client(4096));
    slow.back().send("GET /huge HTTP/1.1\r\nHost: h\r\n\r\n");
  }
  for (Client& c : slow) ASSERT_TRUE(c.receive_until("\r\n\r\n"));
  Client quick = client();
  EXPECT_EQ(quick.get("/hello").body, "hello");
  const Response got = slow.front().response();
  EXPECT_EQ(got.body.size(), kHuge);
  EXPECT_EQ(got.body.find_first_not_of('x'), std::string::npos);
  EXPECT_EQ(slow.front().get("/hello").body, "hello");
}

TEST_F(HttpFrontTest, DrainsByEndingIdleConnectionsAndAnsweringTheOthers) {
  start();
  Client idle = client();
  ASSERT_EQ(idle.get("/hello").status, 200);
  Client half = client();
  half.send("GET /hel");
  Client busy = client();
  busy.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return slow_ == 1 && front_->open() == 3; }));
  front_->drain();
  EXPECT_TRUE(idle.receive_all());
  half.receive_all();
  EXPECT_TRUE(eventually([&] { return front_->open() == 1; }));
  EXPECT_THROW(client(), std::exception);  // refused: the port is free for another server
  release();
  const Response last = busy.response();
  EXPECT_EQ(last.body, "at last");
  EXPECT_TRUE(busy.receive_all());
  busy.close();
  EXPECT_TRUE(eventually([&] { return front_->open() == 0; }));
  EXPECT_EQ(hellos_, 1);
}

TEST_F(HttpFrontTest, DrainsWhileClientsAreBusy) {
  start();
  std::atomic<bool> ended{false};
  std::atomic<int> answered{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 6; ++i) {
    clients.emplace_back([&] {
      try {
        Client c = client();
        while (!ended && c.get("/hello").status == 200) ++answered;
      } catch (const std::exception&) {
        // The listener's queue may be gone already.
      }
    });
  }
  EXPECT_TRUE(eventually([&] { return answered > 300; }));
  front_->drain();
  EXPECT_TRUE(eventually([&] { return front_->open() == 0; }));
  ended = true;
  for (std::thread& thread : clients) thread.join();
}

TEST_F(HttpFrontTest, CountsWhatItDid) {
  start();
  client().get("/hello");
  answer_and_end("nonsense\r\n\r\n");
  const std::string text = metrics_.prometheus();
  EXPECT_THAT(text, HasSubstr("sse_http_requests_total{listener=\"test\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("sse_http_bad_requests_total{listener=\"test\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("sse_http_accepted_total{listener=\"test\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("sse_http_responses_total{class=\"2xx\",listener=\"test\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("sse_http_responses_total{class=\"4xx\",listener=\"test\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("sse_http_responses_total{class=\"5xx\",listener=\"test\"} 0\n"));
}

}  // namespace
}  // namespace sse::net
