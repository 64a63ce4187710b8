#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>

#include <future>
#include <memory>
#include <string>

#include "net/stream.h"
#include "unit/net/stream_fixture.h"
#include "unit/net/tls_pair.h"

// What stream_test.cc says of streams holds over TLS, too; here is what could differ.
namespace sse::net {
namespace {

using testing::Certificate;
using ::testing::ElementsAre;
using testing::eventually;
using ::testing::IsEmpty;
using testing::TempFolder;
using testing::tls_pair;
using testing::TlsClient;

class StreamTlsTest : public StreamTest {
 protected:
  void open(int send_buffer = 0, int receive_buffer = 0) {
    auto pair = tls_pair(context_, send_buffer, receive_buffer);
    tls_ = std::move(pair.client);
    take(std::move(pair.server));
  }
  std::vector<std::uint64_t> acknowledged() {
    return on_loop([&] {
      stream_->check_acknowledged();
      return acknowledged_;
    });
  }

  const TempFolder folder_;
  const Certificate certificate_{folder_, "server"};
  const TlsContext context_{certificate_.file, certificate_.key};
  std::unique_ptr<TlsClient> tls_;
};

TEST_F(StreamTlsTest, WritesTheFramesOfATurnInOneRecord) {
  open();
  on_loop([&] {
    for (int i = 0; i < 10; ++i) EXPECT_EQ(stream_->append(frame("0123456789")), Stream::Append::kTaken);
    EXPECT_EQ(stream_->backlog_bytes(), 100U);
  });
  ASSERT_TRUE(tls_->receive_some());
  EXPECT_EQ(tls_->received().size(), 100U);
  EXPECT_EQ(on_loop([&] { return stream_->backlog_bytes(); }), 0U);
  EXPECT_EQ(on_loop([&] { return stream_->bytes_sent(); }), 100U);
}

TEST_F(StreamTlsTest, KeepsTheOrderAcrossRecordsAndAFullSocket) {
  limits_.max_backlog = 64 * 1024 * 1024;
  open(4096, 4096);
  std::string expected = fill(3001);
  on_loop([&] {
    for (int i = 0; i < 30'000; ++i) {
      const std::string bytes = std::to_string(i) + "\n";
      expected += bytes;
      stream_->append(frame(bytes));
    }
  });
  expected += std::string(500'000, '!') + "end";
  append(frame(std::string(500'000, '!')));
  append(frame("end"));
  ASSERT_TRUE(tls_->receive_bytes(expected.size()));
  EXPECT_TRUE(tls_->received() == expected);
  EXPECT_TRUE(eventually([&] { return on_loop([&] { return drained_ == 1 && !stream_->blocked(); }); }));
  EXPECT_EQ(on_loop([&] { return stream_->backlog_bytes(); }), 0U);
  EXPECT_EQ(on_loop([&] { return stream_->bytes_sent(); }), expected.size());
}

TEST_F(StreamTlsTest, HoldsTheBacklogCap) {
  limits_.max_backlog = 100'000;
  open(4096, 4096);
  fill(3001);
  Stream::Append last = Stream::Append::kTaken;
  for (int i = 0; i < 200 && last == Stream::Append::kTaken; ++i) {
    EXPECT_LE(on_loop([&] { return stream_->backlog_bytes(); }), 100'000U);
    last = append(frame(std::string(1000, 'x')));
  }
  EXPECT_EQ(last, Stream::Append::kOverflow);
  on_loop([&] { stream_->abort(CloseReason::kSlowConsumer); });
  EXPECT_EQ(reason(), CloseReason::kSlowConsumer);
}

TEST_F(StreamTlsTest, ConfirmsAMessageWhenItsRecordIsAcknowledgedAndNotBefore) {
  open(65536, 4096);
  // The peer reads nothing. Of what it has no room for, nothing is confirmed.
  std::uint64_t id = 0;
  while (!on_loop([&] { return stream_->blocked(); })) append(frame(std::string(3000, 'm'), ++id));
  const std::size_t confirmed = acknowledged().size();
  int unread = 0;
  ASSERT_EQ(::ioctl(tls_->client().fd(), FIONREAD, &unread), 0);
  // The record of a message is a little more than 3000 bytes.
  EXPECT_LE(confirmed, static_cast<std::size_t>(unread) / 3000);
  EXPECT_LT(confirmed, id);
  ASSERT_TRUE(tls_->receive_bytes(3000 * id));
  EXPECT_TRUE(eventually([&] { return acknowledged().size() == id; }));
  for (std::size_t i = 0; i < id; ++i) EXPECT_EQ(acknowledged_.at(i), i + 1);
}

TEST_F(StreamTlsTest, ConfirmsTheMessagesOfOneRecordTogether) {
  open();
  on_loop([&] {
    stream_->append(frame("one", 1));
    stream_->append(frame("between"));
    stream_->append(frame("two", 2));
  });
  ASSERT_TRUE(tls_->receive_until("two"));
  EXPECT_TRUE(eventually([&] { return acknowledged().size() == 2; }));
  EXPECT_THAT(acknowledged(), ElementsAre(1, 2));
}

TEST_F(StreamTlsTest, SaysGoodbyeWhenItEnds) {
  open();
  on_loop([&] {
    stream_->append(frame("last words", 3));
    stream_->finish(CloseReason::kServerClosed);
  });
  EXPECT_TRUE(tls_->receive_all());
  EXPECT_EQ(tls_->received(), "last words");
  EXPECT_TRUE(eventually([&] { return acknowledged().size() == 1; }));
  tls_->client().close();
  EXPECT_TRUE(closes_with(CloseReason::kServerClosed));
}

TEST_F(StreamTlsTest, SaysGoodbyeAfterWhatAFullSocketOwes) {
  limits_.max_backlog = 64 * 1024 * 1024;
  open(4096, 4096);
  const std::string expected = fill(3001);
  on_loop([&] { stream_->finish(CloseReason::kShutdown); });
  EXPECT_TRUE(tls_->receive_all());
  EXPECT_TRUE(tls_->received() == expected);
}

TEST_F(StreamTlsTest, EndsWithItsPeer) {
  open();
  tls_->finish();
  EXPECT_TRUE(closes_with(CloseReason::kClientClosed));
}

TEST_F(StreamTlsTest, EndsWithAPeerThatJustVanishes) {
  open();
  tls_->client().finish();
  EXPECT_TRUE(closes_with(CloseReason::kClientClosed));
}

TEST_F(StreamTlsTest, IsLostWhenItsPeerSendsNoRecords) {
  open();
  ASSERT_TRUE(tls_->client().send("GET / HTTP/1.1\r\n\r\n"));
  EXPECT_TRUE(closes_with(CloseReason::kConnectionLost));
  EXPECT_THAT(acknowledged_, IsEmpty());
}

TEST_F(StreamTlsTest, DropsWhatItsClientSays) {
  open();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(tls_->send(std::string(10'000, 'z')));
  append(frame("heard"));
  EXPECT_TRUE(tls_->receive_until("heard"));
}

TEST_F(StreamTlsTest, KeepsItsSessionWhenItGivesBackMemory) {
  open();
  append(frame("before"));
  ASSERT_TRUE(tls_->receive_until("before"));
  on_loop([&] { stream_->trim(); });
  append(frame("after"));
  EXPECT_TRUE(tls_->receive_until("after"));
}

}  // namespace
}  // namespace sse::net
