#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/http_front.h"
#include "net/httplib_app.h"
#include "unit/net/tls_peer.h"

// What a front does before a connection's first request, and that requests go on as without TLS.
namespace sse::net {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using testing::Certificate;
using testing::Client;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using testing::TempFolder;
using testing::TlsClient;

constexpr std::size_t kHuge = 4 * 1024 * 1024;

class HttpFrontTlsTest : public ::testing::Test {
 protected:
  HttpFrontTlsTest() {
    options_.name = "test";
    options_.max_body = mebibytes(4);
    options_.tls = &context_;
    app_.Get("/hello", [](const httplib::Request&, httplib::Response& res) { res.set_content("hello", "text/plain"); });
    app_.Post("/size", [](const httplib::Request& req, httplib::Response& res) {
      res.set_content(std::to_string(req.body.size()), "text/plain");
    });
    app_.Get("/huge", [](const httplib::Request&, httplib::Response& res) {
      res.set_content(std::string(kHuge, 'x'), "text/plain");
    });
    app_.Get("/stream", [this](const httplib::Request& req, httplib::Response& res) {
      HttplibApp::hand_over(req, res, "text/event-stream", [this](HandedOverConnection connection) {
        connection.socket.send(connection.head.bytes + "data:first\n\n");
        const MutexLock lock(mutex_);
        streams_.push_back(std::move(connection.socket));
      });
    });
  }
  ~HttpFrontTlsTest() override {
    if (!front_) return;
    workers_.stop();
    loop_.stop();
  }

  void start() {
    front_ = std::make_unique<HttpFront>(loop_, listener_, app_, workers_, options_, metrics_, [this] {
      const MutexLock lock(mutex_);
      return streams_.size();
    });
    loop_.start();
    front_->start();
  }
  // Waits for a condition; time goes on meanwhile, and stands still otherwise.
  bool eventually(const std::function<bool()>& condition) {
    return clock_.advance_until(std::chrono::milliseconds(1), condition, testing::kSocketTimeout);
  }
  Client plain(int receive_buffer = 0) { return Client::tcp(listener_.address().port, receive_buffer); }
  TlsClient client(int receive_buffer = 0) {
    TlsClient out(plain(receive_buffer));
    EXPECT_TRUE(out.handshake());
    return out;
  }
  // The status line and body of an answer.
  static std::string get(TlsClient& client, const std::string& target) {
    client.send("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n");
    return client.response();
  }
  std::uint64_t handshakes(const std::string& result) {
    return metrics_.counter("sse_tls_handshakes_total", "", {{"listener", "test"}, {"result", result}}).value();
  }

  const TempFolder folder_;
  const Certificate certificate_{folder_, "server"};
  TlsContext context_{certificate_.file, certificate_.key};
  FrontOptions options_;
  observe::Registry metrics_;
  Mutex mutex_;
  std::vector<Socket> streams_ GUARDED_BY(mutex_);
  HttplibApp app_;
  Listener listener_{ListenAddress::parse("127.0.0.1:0"), "--listen"};
  ManualClock clock_;
  EventLoop loop_{"test-front", clock_};
  WorkerPool workers_{"test-worker", 0, 2, 1000};
  std::unique_ptr<HttpFront> front_;
};

// The header comes before TLS, of which not a byte may be taken.
TEST_F(HttpFrontTlsTest, ReadsThePeerInFrontOfTheHandshake) {
  options_.proxy_protocol = true;
  options_.is_proxy = [](const std::string& peer) { return peer == "127.0.0.1"; };
  app_.Get("/who",
           [](const httplib::Request& req, httplib::Response& res) { res.set_content(req.remote_addr, "text/plain"); });
  start();
  Client raw = plain();
  raw.send("PROXY TCP4 203.0.113.7 127.0.0.1 4711 443\r\n");
  TlsClient peer(std::move(raw));
  ASSERT_TRUE(peer.handshake());
  EXPECT_THAT(get(peer, "/who"), HasSubstr("203.0.113.7"));
  // Without a header, what comes is no header.
  TlsClient direct(plain());
  EXPECT_FALSE(direct.handshake());
}

TEST_F(HttpFrontTlsTest, SpeaksPlainHttpOnAUnixSocket) {
  const TempFolder sockets;
  Listener local(ListenAddress::parse("unix:" + sockets.file("web.sock")), "--listen");
  front_ = std::make_unique<HttpFront>(loop_, listener_, app_, workers_, options_, metrics_, [] { return 0; });
  front_->listen_on(local);
  loop_.start();
  front_->start();
  EXPECT_EQ(Client::unix_socket(sockets.file("web.sock")).get("/hello").status, 200);
  TlsClient remote = client();
  EXPECT_THAT(get(remote, "/hello"), HasSubstr("hello"));
  workers_.stop();
  loop_.stop();
  front_.reset();
}

TEST_F(HttpFrontTlsTest, AnswersOneRequestAfterAnotherOnOneConnection) {
  start();
  TlsClient c = client();
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(get(c, "/hello"), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("\r\n\r\nhello")));
  }
  EXPECT_EQ(handshakes("done"), 1U);
}

TEST_F(HttpFrontTlsTest, AnswersPipelinedRequestsThatCameInOneRecord) {
  start();
  TlsClient c = client();
  const std::string one = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n";
  c.send(one + one + one);
  for (int i = 0; i < 3; ++i) EXPECT_THAT(c.response(), HasSubstr("hello"));
}

TEST_F(HttpFrontTlsTest, TakesABodyOfManyRecordsAndASlowHead) {
  start();
  TlsClient c = client();
  const std::string size = std::to_string(3 * 1024 * 1024);
  for (const char letter : "POST /size HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: " + size) {
    ASSERT_TRUE(c.send(std::string(1, letter)));
  }
  ASSERT_TRUE(c.send("\r\n\r\n"));
  ASSERT_TRUE(c.receive_until("100 Continue\r\n\r\n"));
  c.send(std::string(3 * 1024 * 1024, 'b'));
  ASSERT_TRUE(c.receive_until("\r\n\r\n" + size));
}

TEST_F(HttpFrontTlsTest, WritesAHugeAnswerToASlowReader) {
  start();
  TlsClient slow = client(4096);
  ASSERT_TRUE(slow.send("GET /huge HTTP/1.1\r\nHost: h\r\n\r\n"));
  ASSERT_TRUE(slow.receive_some());
  TlsClient quick = client();
  EXPECT_THAT(get(quick, "/hello"), HasSubstr("hello"));
  const std::string answer = slow.response();
  EXPECT_GT(answer.size(), kHuge);
  EXPECT_TRUE(answer.ends_with(std::string(1000, 'x')));
}

TEST_F(HttpFrontTlsTest, HandsAStreamOverWithItsSession) {
  start();
  TlsClient c = client();
  c.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(c.receive_until("data:first\n\n"));
  ASSERT_TRUE(eventually([&] {
    const MutexLock lock(mutex_);
    return streams_.size() == 1;
  }));
  {
    const MutexLock lock(mutex_);
    EXPECT_EQ(streams_[0].send("data:second\n\n"), 13);
  }
  EXPECT_TRUE(c.receive_until("data:second\n\n"));
  EXPECT_TRUE(eventually([&] { return front_->open() == 0; }));
}

TEST_F(HttpFrontTlsTest, SaysCloseNotifyWhenItEndsAConnection) {
  start();
  TlsClient c = client();
  c.send("GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(c.response(), HasSubstr("hello"));
  EXPECT_TRUE(c.receive_all());

  TlsClient idle = client();
  EXPECT_THAT(get(idle, "/hello"), HasSubstr("hello"));
  front_->drain();
  EXPECT_TRUE(idle.receive_all());
}

TEST_F(HttpFrontTlsTest, TellsAClientOfPlainHttpWhatToDo) {
  start();
  Client c = plain();
  c.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(c.receive_all());
  EXPECT_THAT(c.received(), AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("https://")));
  EXPECT_EQ(handshakes("failed"), 1U);
}

TEST_F(HttpFrontTlsTest, EndsConnectionsThatBeginWithGarbage) {
  start();
  const std::string record("\x16\x03\x01\x00\x20", 5);
  for (const std::string& garbage :
       {std::string(1, '\0'), std::string("\x80\x2e\x01\x00\x02", 5), std::string(100, '\xff'),
        record + std::string(32, 'g'), std::string("\x16\xff\xff\xff\xff", 5), "\x16" + std::string(70'000, 'x')}) {
    Client c = plain();
    c.send(garbage);
    while (c.receive_some()) {
    }
    EXPECT_THAT(c.received(), ::testing::Not(StartsWith("HTTP")));
  }
  EXPECT_TRUE(eventually([&] { return front_->open() == 0 && handshakes("failed") == 6; }));
  TlsClient c = client();
  EXPECT_THAT(get(c, "/hello"), HasSubstr("hello"));
}

TEST_F(HttpFrontTlsTest, GivesUpOnHandshakesThatStall) {
  start();
  Client silent = plain();
  Client half = plain();
  half.send(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11));
  EXPECT_TRUE(silent.receive_all(clock_));
  EXPECT_TRUE(half.receive_all(clock_));
  EXPECT_TRUE(eventually([&] { return handshakes("timeout") == 2; }));
  EXPECT_TRUE(eventually([&] { return front_->open() == 0; }));
}

TEST_F(HttpFrontTlsTest, ServesOthersWhileHandshakesStall) {
  start();
  std::vector<Client> stalled;
  for (int i = 0; i < 50; ++i) {
    stalled.push_back(plain());
    if (i % 2 == 0) stalled.back().send(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11));
  }
  TlsClient c = client();
  EXPECT_THAT(get(c, "/hello"), HasSubstr("hello"));
}

TEST_F(HttpFrontTlsTest, ForgetsClientsThatVanish) {
  start();
  for (int i = 0; i < 10; ++i) {
    Client silent = plain();
    if (i % 2 == 0) silent.reset();
    Client half = plain();
    half.send(std::string("\x16\x03\x01\x02\x00\x01", 6));
    if (i % 2 == 0) half.reset();
    TlsClient shaken = client();
    if (i % 2 == 0) shaken.client().reset();
  }
  EXPECT_TRUE(eventually([&] { return front_->open() == 0; }));
}

TEST_F(HttpFrontTlsTest, SaysOverTlsWhyItRefusesAConnection) {
  options_.max_connections = 1;
  start();
  TlsClient first = client();
  EXPECT_THAT(get(first, "/hello"), HasSubstr("hello"));
  TlsClient second = client();
  EXPECT_THAT(second.response(), AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("--max-connections")));
  EXPECT_TRUE(second.receive_all());
}

TEST_F(HttpFrontTlsTest, ShowsANewCertificateToNewConnections) {
  start();
  TlsClient before = client();
  EXPECT_EQ(before.serial(), 1);
  const Certificate fresh(folder_, "server", 2);  // the same files
  context_.reload();
  EXPECT_EQ(client().serial(), 2);
  EXPECT_THAT(get(before, "/hello"), HasSubstr("hello"));
}

}  // namespace
}  // namespace sse::net
