#include "net/tls_session.h"

#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <future>
#include <string>

#include "unit/net/tls_pair.h"

namespace sse::net {
namespace {

using testing::await;
using testing::Certificate;
using testing::Client;
using testing::eventually;
using testing::TempFolder;
using testing::tls_pair;
using testing::TlsClient;
using testing::TlsPair;

class TlsSessionTest : public ::testing::Test {
 protected:
  static std::uint64_t unacknowledged(const Socket& socket) {
    int n = 0;
    EXPECT_EQ(::ioctl(socket.fd.get(), SIOCOUTQ, &n), 0);
    return static_cast<std::uint64_t>(n);
  }
  // Writes all of it, waiting for room.
  static bool write_all(Socket& socket, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = socket.tls->write(bytes);
      if (n > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(n));
      } else if (errno != EAGAIN || !await(socket.fd.get(), POLLOUT)) {
        return false;
      }
    }
    return true;
  }

  const TempFolder folder_;
  const Certificate certificate_{folder_, "server"};
  const TlsContext context_{certificate_.file, certificate_.key};
};

TEST_F(TlsSessionTest, CarriesBytesBothWays) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsPair pair = tls_pair(context_, 0, 0, version);
    EXPECT_EQ(pair.server.tls->version(), version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
    ASSERT_TRUE(pair.client->send("from the client"));
    std::string buffer(TlsSession::kMaxRecord, '\0');
    ASSERT_TRUE(await(pair.server.fd.get(), POLLIN));
    ASSERT_EQ(pair.server.receive(buffer.data(), buffer.size()), 15);
    EXPECT_EQ(buffer.substr(0, 15), "from the client");
    EXPECT_EQ(pair.server.receive(buffer.data(), buffer.size()), -1);
    EXPECT_EQ(errno, EAGAIN);
    EXPECT_EQ(pair.server.send("from the server"), 15);
    EXPECT_TRUE(pair.client->receive_until("from the server"));
  }
}

TEST_F(TlsSessionTest, GoesOnInTheMidstOfARecordWhenTheSocketWasFull) {
  TlsPair pair = tls_pair(context_, 4096, 4096);
  std::string expected;
  for (int i = 0; i < 40'000; ++i) expected += std::to_string(i) + ",";
  auto reading = std::async(std::launch::async, [&] { return pair.client->receive_bytes(expected.size()); });
  std::string_view rest = expected;
  int full = 0;
  while (!rest.empty()) {
    // Another buffer each time, and longer than what was refused: as a queue that grows at its end.
    const std::string moved(rest);
    const ssize_t n = pair.server.tls->write(moved);
    if (n > 0) {
      rest.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    ASSERT_EQ(errno, EAGAIN);
    ++full;
    ASSERT_TRUE(await(pair.server.fd.get(), POLLOUT));
  }
  EXPECT_GT(full, 0);
  ASSERT_TRUE(reading.get());
  EXPECT_TRUE(pair.client->received() == expected);
}

TEST_F(TlsSessionTest, FinishesAHalfWrittenRecordAloneThoughMoreIsOffered) {
  TlsPair pair = tls_pair(context_, 4096, 4096);
  const std::string piece(1000, 'x');
  while (pair.server.tls->write(piece) > 0) {
  }
  ASSERT_EQ(errno, EAGAIN);
  auto reading = std::async(std::launch::async, [&] { return pair.client->receive_until("end"); });
  const std::string more = piece + "end";
  ssize_t n = -1;
  while (n < 0 && await(pair.server.fd.get(), POLLOUT)) n = pair.server.tls->write(more);
  EXPECT_EQ(n, 1000);
  EXPECT_TRUE(write_all(pair.server, "end"));
  EXPECT_TRUE(reading.get());
}

TEST_F(TlsSessionTest, CountsExactlyWhatTheSocketHasTaken) {
  TlsPair pair = tls_pair(context_, 65536, 4096);
  ASSERT_TRUE(eventually([&] { return unacknowledged(pair.server) == 0; }));
  // The peer reads nothing: what its kernel cannot take stays unacknowledged.
  const std::uint64_t before = pair.server.tls->wire_bytes();
  std::uint64_t plain = 0;
  for (ssize_t n = 1; n > 0;) {
    n = pair.server.tls->write(std::string(3000, 'x'));
    if (n > 0) plain += static_cast<std::uint64_t>(n);
  }
  const std::uint64_t sent = pair.server.tls->wire_bytes() - before;
  EXPECT_GT(sent, plain);
  std::uint64_t acknowledged = 0;
  // What is acknowledged and what is not add up to the bytes that the peer finds.
  EXPECT_TRUE(eventually([&] {
    acknowledged = sent - unacknowledged(pair.server);
    int there = 0;
    EXPECT_EQ(::ioctl(pair.client->client().fd(), FIONREAD, &there), 0);
    // Tickets of the handshake are unread, too.
    return acknowledged > 0 && static_cast<std::uint64_t>(there) >= acknowledged &&
           static_cast<std::uint64_t>(there) < acknowledged + 1024;
  }));
  EXPECT_LT(acknowledged, sent);
}

TEST_F(TlsSessionTest, EndsWithACloseNotify) {
  TlsPair pair = tls_pair(context_);
  ASSERT_TRUE(write_all(pair.server, "last words"));
  EXPECT_TRUE(pair.server.tls->end());
  ::shutdown(pair.server.fd.get(), SHUT_WR);
  EXPECT_TRUE(pair.client->receive_all());
  EXPECT_EQ(pair.client->received(), "last words");
}

TEST_F(TlsSessionTest, ReadsTheEndOfThePeerSaidOrNot) {
  std::string buffer(TlsSession::kMaxRecord, '\0');
  for (const bool said : {true, false}) {
    TlsPair pair = tls_pair(context_);
    if (said) pair.client->finish();
    pair.client->client().finish();
    ssize_t n = -1;
    ASSERT_TRUE(eventually([&] { return (n = pair.server.receive(buffer.data(), buffer.size())) >= 0; }));
    EXPECT_EQ(n, 0) << (said ? "close_notify" : "FIN");
  }
}

TEST_F(TlsSessionTest, TakesGarbageBetweenRecordsForAnError) {
  TlsPair pair = tls_pair(context_);
  ASSERT_TRUE(pair.client->client().send("this is no record at all"));
  std::string buffer(TlsSession::kMaxRecord, '\0');
  ASSERT_TRUE(await(pair.server.fd.get(), POLLIN));
  EXPECT_EQ(pair.server.receive(buffer.data(), buffer.size()), -1);
  EXPECT_EQ(errno, EPROTO);
  EXPECT_NE(pair.server.tls->problem(), "");
  EXPECT_EQ(pair.server.send("x"), -1);
  EXPECT_EQ(errno, EPROTO);
  EXPECT_EQ(pair.server.receive(buffer.data(), buffer.size()), -1);
  EXPECT_TRUE(pair.server.tls->end());
}

TEST_F(TlsSessionTest, WritesToAPeerThatIsGoneWithoutASignal) {
  TlsPair pair = tls_pair(context_);
  pair.client->client().reset();
  ssize_t n = 0;
  EXPECT_TRUE(eventually([&] { return (n = pair.server.send("x")) < 0 && errno != EAGAIN; }));
}

TEST_F(TlsSessionTest, AnswersAKeyUpdateAndGoesOn) {
  TlsPair pair = tls_pair(context_, 0, 0, TLS1_3_VERSION);
  ASSERT_EQ(SSL_key_update(pair.client->ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
  ASSERT_TRUE(pair.client->send("after"));
  std::string buffer(TlsSession::kMaxRecord, '\0');
  ASSERT_TRUE(eventually([&] { return pair.server.receive(buffer.data(), buffer.size()) == 5; }));
  EXPECT_TRUE(write_all(pair.server, "answer"));
  EXPECT_TRUE(pair.client->receive_until("answer"));
}

TEST_F(TlsSessionTest, RefusesToRenegotiate) {
  TlsPair pair = tls_pair(context_, 0, 0, TLS1_2_VERSION);
  ASSERT_EQ(SSL_renegotiate(pair.client->ssl()), 1);
  auto asking = std::async(std::launch::async, [&] { return pair.client->handshake(); });
  std::string buffer(TlsSession::kMaxRecord, '\0');
  // The client takes "no" for a failure and goes.
  ssize_t n = -1;
  while (n < 0 && asking.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready)
    n = pair.server.receive(buffer.data(), buffer.size());
  EXPECT_FALSE(asking.get());
}

}  // namespace
}  // namespace sse::net
