#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/http_front.h"
#include "net/httplib_app.h"
#include "net/representation.h"
#include "unit/net/tls_peer.h"

// Files as bodies: how they leave, and that a client that reads slowly holds nothing but its connection.
namespace sse::net {
namespace {

using testing::Client;
using ::testing::EndsWith;
using testing::eventually;
using ::testing::HasSubstr;
using testing::Response;
using ::testing::StartsWith;
using testing::TempFolder;

constexpr std::size_t kSize = 8 * 1024 * 1024 + 12'345;
constexpr const char* kGet = "GET /file HTTP/1.1\r\nHost: h\r\n\r\n";

class HttpFrontFileTest : public ::testing::Test {
 protected:
  HttpFrontFileTest() {
    for (std::size_t i = 0; content_.size() < kSize; ++i) content_ += std::to_string(i) + " ";
    content_.resize(kSize);
    std::ofstream(path_) << content_;
    options_.name = "test";
    options_.content = [this](const RequestHead& head, bool keep_alive) -> std::optional<Reply> {
      if (head.target != "/file") return std::nullopt;
      Representation what;
      what.content_type = "text/plain";
      what.size = kSize;
      what.file = std::make_shared<const UniqueFd>(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
      return represent(head, what, keep_alive, wall_now());
    };
    app_.Get("/hello", [](const httplib::Request&, httplib::Response& res) { res.set_content("hello", "text/plain"); });
  }
  ~HttpFrontFileTest() override {
    if (!front_) return;
    workers_.stop();
    loop_.stop();
  }

  void start() {
    front_ = std::make_unique<HttpFront>(loop_, listener_, app_, workers_, options_, metrics_,
                                         [] { return std::size_t{0}; });
    loop_.start();
    front_->start();
  }
  Client client(int receive_buffer = 0) { return Client::tcp(listener_.address().port, receive_buffer); }

  TempFolder folder_;
  const std::string path_ = folder_.file("file");
  std::string content_;
  FrontOptions options_;
  observe::Registry metrics_;
  HttplibApp app_;
  Listener listener_{ListenAddress::parse("127.0.0.1:0"), "--listen"};
  EventLoop loop_{"test-front"};
  WorkerPool workers_{"test-worker", 0, 1, 1000};
  std::unique_ptr<HttpFront> front_;
};

TEST_F(HttpFrontFileTest, SendsAFileWholeInPartsAndNotAtAll) {
  start();
  Client c = client();
  const Response whole = c.get("/file");
  EXPECT_EQ(whole.status, 200);
  EXPECT_TRUE(whole.body == content_);
  const Response part = c.get("/file", "Range: bytes=4000000-4999999\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_TRUE(part.body == content_.substr(4'000'000, 1'000'000));
  c.send("HEAD /file HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(c.response(true).header("Content-Length"), std::to_string(kSize));
  EXPECT_EQ(c.get("/hello").body, "hello");
}

TEST_F(HttpFrontFileTest, GoesOnWithWhatWasAskedBehindIt) {
  start();
  Client c = client();
  c.send(std::string(kGet) + "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n" + kGet + "GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(c.response().body == content_);
  EXPECT_EQ(c.response().body, "hello");
  EXPECT_TRUE(c.response().body == content_);
  EXPECT_EQ(c.response().body, "hello");
  EXPECT_TRUE(c.receive_all());
}

// There is one worker.
TEST_F(HttpFrontFileTest, HoldsNoWorkerForAClientThatDoesNotRead) {
  start();
  std::vector<Client> slow;
  for (int i = 0; i < 4; ++i) {
    slow.push_back(client(65536));
    ASSERT_TRUE(slow.back().send(kGet));
    ASSERT_TRUE(slow.back().receive_until("\r\n\r\n"));
  }
  Client quick = client();
  EXPECT_EQ(quick.get("/hello").body, "hello");
  EXPECT_TRUE(quick.get("/file").body == content_);
  // And each goes on where it was.
  for (Client& c : slow) EXPECT_TRUE(c.response().body == content_);
}

TEST_F(HttpFrontFileTest, SurvivesClientsThatLeaveInTheMiddle) {
  start();
  for (int i = 0; i < 20; ++i) {
    Client c = client(4096);
    ASSERT_TRUE(c.send(kGet));
    ASSERT_TRUE(c.receive_until("\r\n\r\n"));
    if (i % 2 == 0) {
      c.reset();
    } else {
      c.close();
    }
  }
  EXPECT_TRUE(eventually([&] { return front_->open() == 0; }));
  EXPECT_EQ(client().get("/hello").body, "hello");
}

TEST_F(HttpFrontFileTest, EndsTheConnectionWhenTheFileHasBecomeShorter) {
  start();
  Client c = client(4096);
  ASSERT_TRUE(c.send(kGet));
  ASSERT_TRUE(c.receive_until("\r\n\r\n"));
  ASSERT_EQ(::truncate(path_.c_str(), 100), 0);
  c.receive_all();
  EXPECT_LT(c.received().size(), kSize);
  EXPECT_TRUE(eventually([&] { return front_->open() == 0; }));
}

TEST_F(HttpFrontFileTest, SendsAFileOverTls) {
  const testing::Certificate certificate(folder_, "front");
  const TlsContext context(certificate.file, certificate.key);
  options_.tls = &context;
  start();
  testing::TlsClient c(client(65536));
  ASSERT_TRUE(c.handshake());
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(c.send(kGet));
    const std::string got = c.response();
    EXPECT_THAT(got.substr(0, 20), StartsWith("HTTP/1.1 200 "));
    EXPECT_TRUE(got.ends_with(content_));
  }
  ASSERT_TRUE(c.send("GET /file HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
  EXPECT_TRUE(c.receive_all());
  EXPECT_TRUE(c.received().ends_with(content_));
}

}  // namespace
}  // namespace sse::net
