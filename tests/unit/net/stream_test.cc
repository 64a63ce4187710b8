#include "net/stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "unit/net/loopback.h"
#include "unit/net/stream_fixture.h"

namespace sse::net {
namespace {

using testing::Client;
using ::testing::ElementsAre;
using testing::eventually;
using ::testing::IsEmpty;
using testing::tcp_pair;

// What holds for chunked streams and for those that end with their connection.
class AnyStreamTest : public StreamTest, public ::testing::WithParamInterface<bool> {
 protected:
  AnyStreamTest() { chunked_ = GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(Framed, AnyStreamTest, ::testing::Bool(),
                         [](const auto& framing) { return std::string(framing.param ? "Chunked" : "Plain"); });

TEST_F(StreamTest, WritesTheFramesOfATurnTogether) {
  open();
  on_loop([&] {
    for (int i = 0; i < 10; ++i) EXPECT_EQ(stream_->append(frame("0123456789")), Stream::Append::kTaken);
    EXPECT_EQ(stream_->backlog_bytes(), 100U);
    EXPECT_EQ(stream_->bytes_sent(), 0U);
  });
  // One segment, so one recv().
  ASSERT_TRUE(client_->receive_some());
  EXPECT_EQ(client_->received().size(), 100U);
  EXPECT_EQ(on_loop([&] { return flushes_; }), 1);
  EXPECT_EQ(on_loop([&] { return stream_->backlog_bytes(); }), 0U);
  EXPECT_EQ(on_loop([&] { return stream_->bytes_sent(); }), 100U);
}

TEST_P(AnyStreamTest, KeepsTheOrderOfMoreFramesThanOneCallTakes) {
  open();
  std::string expected;
  on_loop([&] {
    for (int i = 0; i < 3000; ++i) {
      const std::string bytes = std::to_string(i) + "\n";
      expected += bytes;
      stream_->append(frame(bytes));
    }
  });
  ASSERT_TRUE(client_->receive_bytes(expected.size()));
  EXPECT_EQ(client_->received(), expected);
}

TEST_F(StreamTest, ResumesWhereAFullSocketStopped) {
  limits_.max_backlog = 64 * 1024 * 1024;
  open(4096, 4096);
  const std::string expected = fill(3001) + std::string(500'000, '!') + "end";
  append(frame(std::string(500'000, '!')));
  append(frame("end"));
  EXPECT_GT(on_loop([&] { return stream_->backlog_bytes(); }), 500'000U);
  EXPECT_EQ(on_loop([&] { return drained_; }), 0);
  ASSERT_TRUE(client_->receive_bytes(expected.size()));
  EXPECT_TRUE(client_->received() == expected);
  EXPECT_TRUE(eventually([&] { return on_loop([&] { return drained_ == 1 && !stream_->blocked(); }); }));
  EXPECT_EQ(on_loop([&] { return stream_->backlog_bytes(); }), 0U);
  EXPECT_EQ(on_loop([&] { return stream_->bytes_sent(); }), expected.size());
  // And it is a stream like any other again.
  append(frame("more"));
  EXPECT_TRUE(client_->receive_until("more"));
}

TEST_P(AnyStreamTest, TellsItsOwnerWhenItOwesMoreThanItsCap) {
  limits_.max_backlog = 10'000;
  open(4096, 4096);
  fill(3001);
  std::uint64_t backlog = 0;
  Stream::Append last = Stream::Append::kTaken;
  for (int i = 0; i < 20 && last == Stream::Append::kTaken; ++i) {
    backlog = on_loop([&] { return stream_->backlog_bytes(); });
    EXPECT_LE(backlog, 10'000U);
    last = append(frame(std::string(1000, 'x')));
  }
  EXPECT_EQ(last, Stream::Append::kOverflow);
  EXPECT_GT(backlog, 9'000U);
  on_loop([&] { stream_->abort(CloseReason::kSlowConsumer); });
  EXPECT_EQ(reason(), CloseReason::kSlowConsumer);
  EXPECT_EQ(append(frame("late")), Stream::Append::kClosed);
}

TEST_P(AnyStreamTest, DropsWhatIsOverTheCapAndGoesOnIfToldSo) {
  limits_.max_backlog = 10'000;
  limits_.overflow = Stream::Overflow::kDrop;
  open(4096, 4096);
  std::string expected = fill(3001);
  Stream::Append last = Stream::Append::kTaken;
  for (int i = 0; i < 20 && last == Stream::Append::kTaken; ++i) {
    last = append(frame(std::string(1000, 'x')));
    if (last == Stream::Append::kTaken) expected += std::string(1000, 'x');
  }
  EXPECT_EQ(last, Stream::Append::kDropped);
  ASSERT_TRUE(client_->receive_bytes(expected.size()));
  ASSERT_TRUE(eventually([&] { return on_loop([&] { return !stream_->blocked(); }); }));
  EXPECT_EQ(append(frame("after")), Stream::Append::kTaken);
  ASSERT_TRUE(client_->receive_bytes(expected.size() + 5));
  EXPECT_TRUE(client_->received() == expected + "after");
}

TEST_P(AnyStreamTest, DoesNotCallABurstInOneTurnSlow) {
  limits_.max_backlog = 1000;
  open();
  on_loop([&] {
    for (int i = 0; i < 50; ++i) EXPECT_EQ(stream_->append(frame(std::string(400, 'x'))), Stream::Append::kTaken);
  });
  EXPECT_TRUE(client_->receive_bytes(50 * 400));
}

TEST_P(AnyStreamTest, TakesOneFrameLargerThanTheCapWhenItOwesNothing) {
  limits_.max_backlog = 1000;
  open(4096, 4096);
  const std::string large(1'000'000, 'x');
  EXPECT_EQ(append(frame(large)), Stream::Append::kTaken);
  EXPECT_EQ(append(frame("y")), Stream::Append::kOverflow);
  ASSERT_TRUE(client_->receive_bytes(large.size()));
  EXPECT_TRUE(client_->received() == large);
}

TEST_P(AnyStreamTest, AcknowledgesWhatThePeersTcpHas) {
  open();
  on_loop([&] {
    stream_->append(frame("head"));
    stream_->append(frame("one", 1));
    stream_->append(frame("two", 2));
    stream_->append(frame("tail"));
  });
  EXPECT_TRUE(on_loop([&] { return awaits_; }));
  // The peer's kernel acknowledges; its program need not read.
  EXPECT_TRUE(eventually([&] { return on_loop([&] { return !stream_->check_acknowledged(); }); }));
  EXPECT_THAT(on_loop([&] { return acknowledged_; }), ElementsAre(1, 2));
  EXPECT_FALSE(on_loop([&] { return stream_->awaits_acknowledgement(); }));
}

TEST_P(AnyStreamTest, DoesNotAcknowledgeWhatIsStuckInItsOwnSocket) {
  limits_.max_backlog = 64 * 1024 * 1024;
  open(256 * 1024, 2048);
  // More than the peer's window, all of it taken by our socket: written is not received.
  on_loop([&] { stream_->append(frame(std::string(100'000, 'x'))); });
  on_loop([&] { stream_->append(frame("message", 7)); });
  ASSERT_EQ(on_loop([&] { return stream_->backlog_bytes(); }), 0U);
  EXPECT_TRUE(on_loop([&] { return stream_->check_acknowledged(); }));
  EXPECT_THAT(on_loop([&] { return acknowledged_; }), IsEmpty());

  ASSERT_TRUE(client_->receive_until("message"));
  EXPECT_TRUE(eventually([&] { return on_loop([&] { return !stream_->check_acknowledged(); }); }));
  EXPECT_THAT(on_loop([&] { return acknowledged_; }), ElementsAre(7));
}

TEST_P(AnyStreamTest, DoesNotAcknowledgeWhatAResetPeerNeverGot) {
  open(256 * 1024, 2048);
  on_loop([&] { stream_->append(frame("got", 1)); });
  ASSERT_TRUE(client_->receive_until("got"));
  on_loop([&] { stream_->append(frame(std::string(100'000, 'x'))); });
  on_loop([&] { stream_->append(frame("lost", 2)); });
  ASSERT_EQ(on_loop([&] { return stream_->backlog_bytes(); }), 0U);
  client_->reset();
  EXPECT_TRUE(closes_with(CloseReason::kConnectionLost));
  EXPECT_FALSE(on_loop([&] { return stream_->check_acknowledged(); }));
  EXPECT_THAT(on_loop([&] { return acknowledged_; }), ElementsAre(1));
}

TEST_P(AnyStreamTest, DoesNotAcknowledgeWhatItNeverWrote) {
  limits_.max_backlog = 64 * 1024 * 1024;
  open(4096, 4096);
  fill(3001);
  append(frame("message", 1));
  EXPECT_FALSE(on_loop([&] { return stream_->check_acknowledged(); }));
  client_->close();
  EXPECT_TRUE(eventually([&] { return reason().has_value(); }));
  EXPECT_THAT(on_loop([&] { return acknowledged_; }), IsEmpty());
}

TEST_P(AnyStreamTest, AcknowledgesWhatArrivedBeforeThePeerLeft) {
  open();
  append(frame("message", 9));
  ASSERT_TRUE(client_->receive_until("message"));
  client_->close();
  EXPECT_TRUE(closes_with(CloseReason::kClientClosed));
  EXPECT_THAT(on_loop([&] { return acknowledged_; }), ElementsAre(9));
}

TEST_F(StreamTest, NoticesThatThePeerEnded) {
  open();
  client_->finish();
  EXPECT_TRUE(closes_with(CloseReason::kClientClosed));
  EXPECT_TRUE(on_loop([&] { return stream_->closed(); }));
  EXPECT_TRUE(client_->receive_all());
  EXPECT_EQ(on_loop([&] { return closed_times_; }), 1);
}

TEST_F(StreamTest, NoticesThatTheConnectionWasReset) {
  open();
  client_->reset();
  EXPECT_TRUE(closes_with(CloseReason::kConnectionLost));
}

TEST_F(StreamTest, DiscardsWhatThePeerSays) {
  open();
  client_->send(std::string(200'000, 'x'));
  append(frame("still here"));
  EXPECT_TRUE(client_->receive_until("still here"));
  EXPECT_EQ(reason(), std::nullopt);
}

TEST_P(AnyStreamTest, WritesEverythingBeforeItFinishes) {
  limits_.max_backlog = 64 * 1024 * 1024;
  open(4096, 4096);
  std::string expected = fill(3001);
  append(frame("goodbye", 3));
  expected += "goodbye";
  on_loop([&] { stream_->finish(CloseReason::kServerClosed); });
  EXPECT_FALSE(on_loop([&] { return stream_->open(); }));
  EXPECT_EQ(append(frame("late")), Stream::Append::kClosed);
  EXPECT_EQ(reason(), std::nullopt);
  EXPECT_TRUE(client_->receive_all());
  EXPECT_TRUE(client_->received() == expected);
  client_->close();
  EXPECT_TRUE(closes_with(CloseReason::kServerClosed));
  EXPECT_THAT(on_loop([&] { return acknowledged_; }), ElementsAre(3));
  EXPECT_EQ(on_loop([&] { return closed_times_; }), 1);
}

TEST_P(AnyStreamTest, FinishesAtOnceWhenItOwesNothing) {
  open();
  on_loop([&] { stream_->finish(CloseReason::kKeepalive); });
  EXPECT_TRUE(client_->receive_all());
  EXPECT_EQ(client_->received(), "");
  client_->close();
  EXPECT_TRUE(closes_with(CloseReason::kKeepalive));
}

TEST_P(AnyStreamTest, LetsThePeerCloseFirstUntilItIsToldToEnd) {
  open();
  append(frame("goodbye"));
  on_loop([&] { stream_->finish(CloseReason::kServerClosed, true); });
  EXPECT_EQ(append(frame("late")), Stream::Append::kClosed);
  EXPECT_TRUE(client_->receive_until("goodbye"));
  EXPECT_TRUE(on_loop([&] { return stream_->end(); }));
  EXPECT_FALSE(on_loop([&] { return stream_->end(); }));
  EXPECT_TRUE(client_->receive_all());
  EXPECT_EQ(client_->received(), "goodbye");
  client_->close();
  EXPECT_TRUE(closes_with(CloseReason::kServerClosed));
}

TEST_P(AnyStreamTest, NeedsNoEndWhenThePeerClosesFirst) {
  open();
  append(frame("goodbye"));
  on_loop([&] { stream_->finish(CloseReason::kDisconnect, true); });
  EXPECT_TRUE(client_->receive_until("goodbye"));
  client_->close();
  EXPECT_TRUE(closes_with(CloseReason::kDisconnect));
  EXPECT_FALSE(on_loop([&] { return stream_->end(); }));
}

TEST_P(AnyStreamTest, KeepsTheReasonItWasFinishedWithWhenItIsAborted) {
  limits_.max_backlog = 64 * 1024 * 1024;
  open(4096, 4096);
  fill(3001);
  on_loop([&] {
    stream_->finish(CloseReason::kShutdown);
    stream_->abort(CloseReason::kConnectionLost);
    stream_->abort(CloseReason::kConnectionLost);
  });
  EXPECT_EQ(reason(), CloseReason::kShutdown);
  EXPECT_EQ(on_loop([&] { return closed_times_; }), 1);
}

TEST_P(AnyStreamTest, GivesMemoryOfABurstBackAndGoesOn) {
  open();
  on_loop([&] {
    for (int i = 0; i < 100; ++i) stream_->append(frame("x"));
    stream_->trim();
  });
  ASSERT_TRUE(client_->receive_bytes(100));
  on_loop([&] { stream_->trim(); });
  append(frame("y", 4));
  EXPECT_TRUE(client_->receive_until("y"));
  on_loop([&] { stream_->trim(); });
  EXPECT_TRUE(eventually([&] { return on_loop([&] { return !stream_->check_acknowledged(); }); }));
  EXPECT_THAT(on_loop([&] { return acknowledged_; }), ElementsAre(4));
}

class ChunkedStreamTest : public StreamTest {
 protected:
  ChunkedStreamTest() { chunked_ = true; }
};

TEST_F(ChunkedStreamTest, WritesEveryFrameAsAChunkAndThoseOfATurnTogether) {
  auto pair = tcp_pair();
  client_.emplace(std::move(pair.client));
  take({std::move(pair.server), nullptr});
  on_loop([&] {
    stream_->append(event::Frame::make_unframed("head"));
    stream_->append(frame("one"));
    stream_->append(frame("", 1));
    stream_->append(frame("0123456789abcdef"));
    EXPECT_EQ(stream_->backlog_bytes(), 4U + 8 + 22);
    EXPECT_EQ(stream_->oldest_unsent()->bytes(), "head");
  });
  ASSERT_TRUE(client_->receive_some());
  EXPECT_EQ(client_->received(), "head3\r\none\r\n10\r\n0123456789abcdef\r\n");
  EXPECT_EQ(on_loop([&] { return flushes_; }), 1);
  EXPECT_EQ(on_loop([&] { return stream_->bytes_sent(); }), 34U);
}

TEST_F(ChunkedStreamTest, EndsTheBodyInTheWriteOfWhatIsLeft) {
  open();
  on_loop([&] {
    stream_->append(frame("goodbye"));
    stream_->finish(CloseReason::kShutdown);
    EXPECT_EQ(stream_->backlog_bytes(), 12U + 5);
  });
  EXPECT_TRUE(client_->receive_all());
  EXPECT_EQ(client_->received(), "goodbye");
  EXPECT_TRUE(client_->chunks().complete());
  EXPECT_EQ(on_loop([&] { return flushes_; }), 1);
}

TEST_F(ChunkedStreamTest, EndsTheBodyBehindWhatAFullSocketOwes) {
  limits_.max_backlog = 10'000;
  open(4096, 4096);
  std::string expected = fill(3001);
  // The last chunk is no matter of the cap.
  while (append(frame("more")) == Stream::Append::kTaken) {
    expected += "more";
  }
  on_loop([&] { stream_->finish(CloseReason::kKeepalive); });
  EXPECT_TRUE(client_->receive_all());
  EXPECT_TRUE(client_->received() == expected);
  EXPECT_TRUE(client_->chunks().complete());
}

// A client takes the last chunk for the end, and reconnects: it must not come before the client has closed.
TEST_F(ChunkedStreamTest, KeepsTheBodyOpenForAPeerThatIsToCloseFirst) {
  open();
  append(frame("goodbye"));
  on_loop([&] { stream_->finish(CloseReason::kServerClosed, true); });
  EXPECT_TRUE(client_->receive_until("goodbye"));
  EXPECT_EQ(on_loop([&] { return stream_->bytes_sent(); }), 12U);
  EXPECT_FALSE(client_->chunks().complete());
  EXPECT_TRUE(on_loop([&] { return stream_->end(); }));
  EXPECT_TRUE(client_->receive_all());
  EXPECT_TRUE(client_->chunks().complete());
  EXPECT_EQ(on_loop([&] { return stream_->bytes_sent(); }), 17U);
}

TEST_F(ChunkedStreamTest, LeavesTheBodyUnfinishedWhenItIsAborted) {
  open();
  append(frame("cut"));
  ASSERT_TRUE(client_->receive_until("cut"));
  on_loop([&] { stream_->abort(CloseReason::kSlowConsumer); });
  client_->receive_all();
  EXPECT_EQ(client_->received(), "cut");
  EXPECT_FALSE(client_->chunks().complete());
}

// To the byte: the frames of the chunks count, for otherwise the error would add up.
TEST_F(ChunkedStreamTest, AcknowledgesWhatThePeersTcpHasOfAllChunks) {
  limits_.max_backlog = 64 * 1024 * 1024;
  open(65536, 16384);
  std::vector<std::uint64_t> ends;
  while (!on_loop([&] { return stream_->blocked(); })) {
    const event::FrameRef message = frame("m", ends.size() + 1);
    ends.push_back((ends.empty() ? 0 : ends.back()) + message->view(true).size());
    append(message);
  }
  // The peer reads nothing.
  const auto arrived = [&] {
    int unread = 0;
    EXPECT_EQ(::ioctl(client_->fd(), FIONREAD, &unread), 0);
    return std::ranges::upper_bound(ends, static_cast<std::uint64_t>(unread)) - ends.begin();
  };
  const auto confirmed = [&] {
    return on_loop([&] {
      stream_->check_acknowledged();
      return static_cast<std::ptrdiff_t>(acknowledged_.size());
    });
  };
  EXPECT_TRUE(eventually([&] { return confirmed() > 0 && confirmed() == arrived(); }))
      << confirmed() << " of " << arrived();
  EXPECT_LT(confirmed(), static_cast<std::ptrdiff_t>(ends.size()));
}

TEST_F(StreamTest, NamesEveryReason) {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < kCloseReasons; ++i) names.push_back(reason_name(static_cast<CloseReason>(i)));
  std::ranges::sort(names);
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
}

}  // namespace
}  // namespace sse::net
