#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "net/event_loop.h"

namespace sse::hub {

/// Where a stream stands in a TcpAckPoll: one byte in each stream.
class TcpAckRound {
 private:
  template <class Stream>
  friend class TcpAckPoll;

  static constexpr std::uint8_t kNone = 0xFF;
  static constexpr std::uint8_t kWritten = 0xFE;  // at the end of this turn

  std::uint8_t round_ = kNone;
};

/// Checks whether the TCP of peers has acknowledged the messages written to them. The kernel does not report that, so
/// each stream is checked at the end of the turn in which it wrote a message, and then in rounds of increasing delay,
/// from 2 to 250 ms, until nothing is left to wait for. Streams that wait for nothing cost nothing. Loop thread only.
///
/// `Stream` has an `id`, a TcpAckRound `ack_round`, and check_acknowledged(), which returns false when nothing is left
/// to wait for.
template <class Stream>
class TcpAckPoll {
 public:
  /// Returns null for a stream that is gone.
  using Find = std::function<Stream*(ConnectionId)>;

  TcpAckPoll(net::EventLoop& loop, Find find) : loop_(loop), find_(std::move(find)) {}
  TcpAckPoll(const TcpAckPoll&) = delete;
  TcpAckPoll& operator=(const TcpAckPoll&) = delete;

  /// The socket of the stream has taken a message.
  void written(Stream& stream) {
    loop_.assert_in_loop_thread();
    if (stream.ack_round.round_ == TcpAckRound::kWritten) return;
    stream.ack_round.round_ = TcpAckRound::kWritten;
    written_.push_back(stream.id);
  }
  /// Checks the streams written to in this turn of the loop; to be called at its end.
  void end_turn() {
    loop_.assert_in_loop_thread();
    if (written_.empty()) return;
    for (const ConnectionId id : written_) {
      if (Stream* stream = find_(id)) check(*stream, 0);
    }
    written_.clear();
  }
  /// Frees memory that only a burst needed.
  void trim() {
    loop_.assert_in_loop_thread();
    if (written_.empty() && written_.capacity() > 1024) written_.shrink_to_fit();
  }

 private:
  static constexpr std::size_t kRounds = 8;
  // An id counts only in the round that its stream stores; other copies of it are stale.
  struct Round {
    std::vector<ConnectionId> streams;
    bool timer = false;
  };

  static std::chrono::milliseconds delay(std::size_t round) {
    return std::min(std::chrono::milliseconds(2 << round), std::chrono::milliseconds(250));
  }

  void check(Stream& stream, std::size_t next_round) {
    if (!stream.check_acknowledged()) {
      stream.ack_round.round_ = TcpAckRound::kNone;
      return;
    }
    stream.ack_round.round_ = static_cast<std::uint8_t>(next_round);
    Round& next = rounds_.at(next_round);
    next.streams.push_back(stream.id);
    if (std::exchange(next.timer, true)) return;
    loop_.run_after(delay(next_round), [this, next_round] {
      rounds_.at(next_round).timer = false;
      check_round(next_round);
    });
  }

  void check_round(std::size_t round) {
    std::vector<ConnectionId> streams = std::exchange(rounds_.at(round).streams, {});
    // A stream that returned to the last round may be in it more than once.
    if (round + 1 == kRounds) {
      std::ranges::sort(streams);
      streams.erase(std::unique(streams.begin(), streams.end()), streams.end());
    }
    for (const ConnectionId id : streams) {
      Stream* stream = find_(id);
      if (stream != nullptr && stream->ack_round.round_ == round) check(*stream, std::min(round + 1, kRounds - 1));
    }
  }

  net::EventLoop& loop_;
  const Find find_;
  std::vector<ConnectionId> written_;  // in this turn
  std::array<Round, kRounds> rounds_;
};

}  // namespace sse::hub
