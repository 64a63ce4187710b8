#include "cluster/mesh/node_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <string>

#include "net/listener.h"
#include "support/eventually.h"
#include "support/relay.h"
#include "unit/net/tls_authority.h"
#include "unit/net/tls_pair.h"

namespace sse::cluster {
namespace {

using namespace std::chrono_literals;
using sse::testing::await;
using sse::testing::kTimeout;
using sse::testing::TempFolder;
using sse::testing::TlsAuthority;
using ::testing::HasSubstr;
using Outcome = NodeConnection::Outcome;

const NodeConnection::Request kGet{.method = "GET", .path = "/x"};

NodeConnection::Options patient(std::shared_ptr<const MeshTls> tls = nullptr) {
  return {.connect_timeout = kTimeout,
          .handshake_timeout = kTimeout,
          .answer_timeout = kTimeout,
          .max_response = 1000,
          .tls = std::move(tls)};
}

// Accepts connections one by one, reads the head of a request, and answers what it is told.
class RawServer {
 public:
  net::ListenAddress address() const { return listener_.address(); }
  // One connection, on which each of the responses answers a request; then it is closed.
  std::future<std::string> serve(std::vector<std::string> responses) {
    return std::async(std::launch::async, [this, responses = std::move(responses)] {
      if (!await(listener_.fd(), POLLIN)) return std::string("no connection");
      const UniqueFd fd(::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
      std::string received;
      for (const std::string& response : responses) {
        char byte = 0;
        while (received.find("\r\n\r\n") == std::string::npos && ::recv(fd.get(), &byte, 1, 0) == 1) received += byte;
        if (response.empty()) break;
        ::send(fd.get(), response.data(), response.size(), MSG_NOSIGNAL);
        if (&response != &responses.back()) received.clear();
      }
      return received;
    });
  }

 private:
  net::Listener listener_{net::ListenAddress::parse("127.0.0.1:0"), ""};
};

std::string problem_with(const std::string& response) {
  RawServer server;
  NodeConnection connection(server.address(), patient());
  const auto served = server.serve({response});
  const NodeConnection::Response got = connection.exchange(kGet);
  EXPECT_EQ(got.outcome, Outcome::kFailed);
  return got.problem;
}

TEST(NodeConnection, ReadsAResponseHoweverItsBodyIsDelimited) {
  const std::string head = "HTTP/1.1 200 OK\r\n";
  for (const std::string body : {"Content-Length: 5\r\n\r\nhello", "\r\nhello",
                                 "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"}) {
    RawServer server;
    NodeConnection connection(server.address(), patient());
    auto served = server.serve({"HTTP/1.1 100 Continue\r\n\r\n" + head + body});
    const NodeConnection::Response got = connection.exchange(
        {.method = "POST", .path = "/x", .headers = "Authorization: Bearer s\r\n", .body = "the body"});
    EXPECT_EQ(got.status, 200) << got.problem;
    EXPECT_EQ(got.body, "hello");
    const std::string request = served.get();
    EXPECT_THAT(request, HasSubstr("POST /x HTTP/1.1\r\nHost: 127.0.0.1:"));
    EXPECT_THAT(request, HasSubstr("Authorization: Bearer s\r\nContent-Length: 8\r\n"));
  }
}

TEST(NodeConnection, KeepsAConnectionUntilTheServerClosesIt) {
  RawServer server;
  NodeConnection connection(server.address(), patient());
  const std::string empty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  auto served = server.serve({empty, empty});
  EXPECT_EQ(connection.exchange(kGet).status, 200);
  EXPECT_EQ(connection.exchange(kGet).status, 200);
  served.get();
  served = server.serve({empty});
  EXPECT_EQ(connection.exchange(kGet).status, 200);
  served.get();
}

TEST(NodeConnection, SaysWhatIsWrongWithAResponse) {
  EXPECT_THAT(problem_with("SSH-2.0\r\n\r\n"), HasSubstr("does not speak HTTP/1.1"));
  EXPECT_THAT(problem_with("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n"), HasSubstr("larger than"));
  EXPECT_THAT(problem_with("HTTP/1.1 200 OK\r\n\r\n" + std::string(1001, 'x')), HasSubstr("larger than"));
  EXPECT_THAT(problem_with("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), HasSubstr("Content-Length"));
  EXPECT_THAT(problem_with("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhell"), HasSubstr("within its response"));
  EXPECT_THAT(problem_with("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"), HasSubstr("malformed"));
  EXPECT_THAT(problem_with(std::string(40'000, 'x')), HasSubstr("the head of its response is larger than"));
  EXPECT_THAT(problem_with(""), HasSubstr("closed the connection without a response"));
}

TEST(NodeConnection, TellsAServerThatIsNotThereFromOneThatIsSilent) {
  NodeConnection nowhere(net::ListenAddress::parse("127.0.0.1:1"), patient());
  const NodeConnection::Response refused = nowhere.exchange(kGet);
  EXPECT_EQ(refused.outcome, Outcome::kFailed);
  EXPECT_THAT(refused.problem, HasSubstr("it cannot be reached ("));
  const net::Listener frozen(net::ListenAddress::parse("127.0.0.1:0"), "");
  NodeConnection::Options hasty = patient();
  hasty.answer_timeout = 20ms;
  NodeConnection silent(frozen.address(), hasty);
  const NodeConnection::Response none = silent.exchange(kGet);
  EXPECT_EQ(none.outcome, Outcome::kSilent);
  EXPECT_THAT(none.problem, HasSubstr("has not answered for 20ms"));
}

TEST(NodeConnection, EndsAnExchangeWhenItIsInterrupted) {
  const net::Listener frozen(net::ListenAddress::parse("127.0.0.1:0"), "");
  NodeConnection connection(frozen.address(), patient());
  auto exchanged = std::async(std::launch::async, [&] { return connection.exchange(kGet); });
  ASSERT_TRUE(await(frozen.fd(), POLLIN));
  connection.interrupt();
  EXPECT_EQ(exchanged.get().outcome, Outcome::kFailed);
  EXPECT_EQ(connection.exchange(kGet).outcome, Outcome::kFailed);
}

class NodeConnectionTls : public ::testing::Test {
 protected:
  // Serves one request on one connection; true if its handshake was shortened.
  std::future<bool> serve() {
    return std::async(std::launch::async, [this] {
      if (!await(listener_.fd(), POLLIN)) return false;
      const UniqueFd fd(::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      const auto session = tls_->server_side().accept(fd.get());
      if (!sse::testing::do_handshake(*session, fd.get())) return false;
      std::string bytes(net::TlsSession::kMaxRecord, ' ');
      while (session->read(bytes.data(), bytes.size()) < 0 && errno == EAGAIN && await(fd.get(), POLLIN)) {
      }
      session->write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      const bool resumed = session->resumed();
      session->end();
      return resumed;
    });
  }

  const TempFolder folder_;
  const TlsAuthority authority_{folder_, "authority"};
  const TlsAuthority::Issued issued_ = authority_.issue("node");
  const std::shared_ptr<MeshTls> tls_ = std::make_shared<MeshTls>(
      MeshTls::Options{.certificate_file = issued_.file, .key_file = issued_.key, .ca_file = authority_.file});
  net::Listener listener_{net::ListenAddress::parse("127.0.0.1:0"), ""};
  NodeConnection connection_{listener_.address(), patient(tls_)};
};

TEST_F(NodeConnectionTls, ResumesASessionUntilTheCertificatesAreReadAgain) {
  const auto exchange = [&] {
    auto resumed = serve();
    const NodeConnection::Response got = connection_.exchange(kGet);
    EXPECT_EQ(got.body, "ok") << got.problem;
    return resumed.get();
  };
  EXPECT_FALSE(exchange());
  EXPECT_TRUE(exchange());
  tls_->reload();
  EXPECT_FALSE(exchange());
  EXPECT_TRUE(exchange());
}

}  // namespace
}  // namespace sse::cluster
