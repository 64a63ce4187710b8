#include "net/stream_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "unit/net/loopback.h"
#include "unit/net/tls_peer.h"

namespace sse::net {
namespace {

using testing::Certificate;
using testing::Client;
using testing::eventually;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using testing::TempFolder;

constexpr const char* kStreamHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream;charset=UTF-8\r\nX-Sse-Server-Id: a:1\r\n";

// A listening socket of 127.0.0.1.
class FarServer {
 public:
  FarServer() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    auto* const address = reinterpret_cast<sockaddr*>(&at);
    if (::bind(fd_.get(), address, size) != 0 || ::listen(fd_.get(), 10) != 0 ||
        ::getsockname(fd_.get(), address, &size) != 0)
      throw std::runtime_error("listen");
    port_ = ntohs(at.sin_port);
  }
  std::uint16_t port() const { return port_; }
  // Waits for a connection and for the request on it.
  Client accept(std::string* request = nullptr) {
    Client client(UniqueFd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
    EXPECT_TRUE(client.receive_until("\r\n\r\n"));
    const std::string got = client.take();
    if (request != nullptr) *request = got;
    return client;
  }
  UniqueFd accept_raw() { return UniqueFd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }
  void close() { fd_.reset(); }

 private:
  UniqueFd fd_;
  std::uint16_t port_ = 0;
};

class StreamClientTest : public ::testing::Test, public StreamClient::Owner {
 protected:
  void TearDown() override {
    if (started_) loop_.stop();
  }

  void open(std::vector<std::string> addresses = {"127.0.0.1"}, std::shared_ptr<const TlsClientContext> tls = nullptr) {
    client_ = std::make_unique<StreamClient>(
        loop_,
        StreamRequest{"127.0.0.1", server_.port(), "/p/connect?a=b", {{"X-Sse-Canary", "secret"}}, std::move(tls)},
        *this);
    loop_.start();
    started_ = true;
    loop_.post([this, addresses = std::move(addresses)] { client_->open(addresses); });
  }
  // What the server sends, and the end that the client then sees.
  std::string end_after(std::string_view bytes) {
    open();
    Client far = server_.accept();
    far.send(bytes);
    far.finish();
    return end();
  }
  std::string end() {
    EXPECT_TRUE(eventually([&] {
      const MutexLock lock(mutex_);
      return !end_.empty();
    }));
    const MutexLock lock(mutex_);
    return end_;
  }
  std::string body() {
    const MutexLock lock(mutex_);
    return body_;
  }
  bool begun() {
    const MutexLock lock(mutex_);
    return !server_id_.empty();
  }

  FarServer server_;
  std::size_t close_at_ = SIZE_MAX;  // bytes of the body

 private:
  void stream_begun(const std::string& server_id) override {
    const MutexLock lock(mutex_);
    server_id_ = server_id;
  }
  void stream_bytes(std::string_view bytes) override {
    const MutexLock lock(mutex_);
    EXPECT_LE(bytes.size(), StreamClient::kMaxPiece);
    body_ += bytes;
    if (body_.size() < close_at_) return;
    client_->close();
    end_ = "closed";
  }
  void stream_ended(const std::string& why) override {
    const MutexLock lock(mutex_);
    EXPECT_EQ(end_, "");
    end_ = why;
  }

  bool started_ = false;
  EventLoop loop_{"canary"};
  Mutex mutex_;
  std::string server_id_;
  std::string body_;
  std::string end_;
  std::unique_ptr<StreamClient> client_;
};

TEST_F(StreamClientTest, ReadsAChunkedStreamHoweverItIsSplit) {
  open();
  std::string request;
  Client far = server_.accept(&request);
  EXPECT_THAT(request, StartsWith("GET /p/connect?a=b HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server_.port()) +
                                  "\r\nAccept: text/event-stream\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nX-Sse-Canary: secret\r\n"));
  const std::string all = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + std::string(kStreamHead) +
                          "Transfer-Encoding: chunked\r\n\r\n8\r\ndata:a\n\n\r\n8\r\ndata:b\n\n\r\n";
  for (const char c : all) far.send({&c, 1});
  EXPECT_TRUE(eventually([&] { return body() == "data:a\n\ndata:b\n\n"; }));
  EXPECT_TRUE(begun());
  far.send("0\r\n\r\n");
  EXPECT_EQ(end(), "it ended the stream");
}

TEST_F(StreamClientTest, ReadsAStreamThatEndsWithItsConnection) {
  EXPECT_EQ(end_after(std::string(kStreamHead) + "\r\ndata:a\n\n"), "it ended the stream");
  EXPECT_EQ(body(), "data:a\n\n");
}

TEST_F(StreamClientTest, TriesTheNextAddress) {
  // Nothing listens at 127.0.0.2 of that port.
  open({"127.0.0.2", "127.0.0.1"});
  Client far = server_.accept();
  far.send(std::string(kStreamHead) + "\r\n");
  EXPECT_TRUE(eventually([&] { return begun(); }));
}

TEST_F(StreamClientTest, SaysThatNoServerListens) {
  server_.close();
  open();
  EXPECT_EQ(end(), "cannot connect: Connection refused");
}

TEST_F(StreamClientTest, SaysThatTheNameHasNoAddress) {
  open({});
  EXPECT_THAT(end(), HasSubstr("no address"));
}

TEST_F(StreamClientTest, FollowsNoRedirect) {
  EXPECT_EQ(end_after("HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\x1b[31m\r\n\r\n"),
            "it redirects to http://elsewhere/\\x1B[31m; give that URL");
}

TEST_F(StreamClientTest, SaysWhichServerRefuses) {
  EXPECT_EQ(end_after("HTTP/1.1 401 Unauthorized\r\nX-Sse-Server-Id: b:2\r\nContent-Length: 0\r\n\r\n"),
            "it answered with status 401 (server b:2)");
}

TEST_F(StreamClientTest, RefusesWhatIsNoEventStream) {
  EXPECT_EQ(end_after("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>"), "its response is no event stream");
}

TEST_F(StreamClientTest, RefusesAnotherProtocol) {
  EXPECT_THAT(end_after("SSH-2.0-OpenSSH\r\n\r\n"), HasSubstr("does not speak HTTP/1.1"));
}

TEST_F(StreamClientTest, RefusesACompressedStream) {
  EXPECT_THAT(end_after(std::string(kStreamHead) + "Content-Encoding: gzip\r\n\r\nx"), HasSubstr("compresses"));
}

TEST_F(StreamClientTest, RefusesMalformedChunks) {
  EXPECT_EQ(end_after(std::string(kStreamHead) + "Transfer-Encoding: chunked\r\n\r\nxyz"), "its chunks are malformed");
}

TEST_F(StreamClientTest, SaysThatTheConnectionWasClosedAtOnce) {
  EXPECT_EQ(end_after(""), "it closed the connection without a response");
}

// Without the limit the test would not end: the server sends until the client hangs up.
TEST_F(StreamClientTest, HoldsNoEndlessHead) {
  open();
  Client far = server_.accept();
  far.send("HTTP/1.1 200 OK\r\nX: ");
  const std::string filler(64 * 1024, 'x');
  while (far.send(filler)) {
  }
  EXPECT_EQ(end(), "the head of its response is larger than 16KiB");
}

TEST_F(StreamClientTest, TheOwnerEndsAFlood) {
  close_at_ = 100'000;
  open();
  Client far = server_.accept();
  far.send(std::string(kStreamHead) + "\r\n");
  const std::string filler(64 * 1024, 'x');
  while (far.send(filler)) {
  }
  EXPECT_EQ(end(), "closed");
  EXPECT_LT(body().size(), close_at_ + StreamClient::kMaxPiece);
}

TEST_F(StreamClientTest, SaysThatTheServerSpeaksNoTls) {
  const TempFolder folder;
  const Certificate trusted(folder, "trusted");
  open({"127.0.0.1"}, std::make_shared<TlsClientContext>(
                          TlsClientContext::Options{.ca_file = trusted.file, .ca_option = "--canary-ca"}));
  // It speaks no TLS at all.
  const UniqueFd far = server_.accept_raw();
  const std::string_view garbage = "HTTP/1.1 400 Bad Request\r\n\r\n";
  ASSERT_EQ(::send(far.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL), static_cast<ssize_t>(garbage.size()));
  EXPECT_THAT(end(), StartsWith("TLS: "));
}

}  // namespace
}  // namespace sse::net
