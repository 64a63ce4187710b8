#pragma once

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/stream.h"
#include "unit/net/loopback.h"

namespace sse::net {

inline event::FrameRef frame(std::string_view bytes, std::uint64_t message = 0) {
  return event::Frame::make(bytes, MessageId(message), event::TargetKind::kUser);
}

// A stream and nothing else; what derives from it has no virtual destructor to pay for.
class PlainStream final : public Stream {
 public:
  using Stream::Stream;
};

// One stream on a loop, with an owner that does what a shard does: flush at the end of the turn.
class StreamTest : public ::testing::Test, public StreamOwner {
 protected:
  // Not in the destructor: the loop calls what the test's class overrides.
  void TearDown() override {
    if (started_) loop_.stop();
    stream_.reset();
  }

  // `send_buffer` and `receive_buffer`: as small as the kernel takes for a peer that is soon full.
  void open(int send_buffer = 0, int receive_buffer = 0) {
    auto pair = testing::tcp_pair(send_buffer, receive_buffer);
    client_.emplace(std::move(pair.client));
    if (chunked_) client_->decode_chunks(0);
    take(std::move(pair.server));
  }
  // Puts a stream on the server's end and starts the loop.
  void take(Socket server) {
    stream_ = std::make_unique<PlainStream>(host_, std::move(server), chunked_);
    loop_.at_turn_end([this] {
      if (std::exchange(dirty_, false)) {
        ++flushes_;
        stream_->flush();
      }
    });
    loop_.start();
    started_ = true;
  }

  // Runs on the loop and waits; what `f` appends is written when the turn ends.
  template <class F>
  auto on_loop(F f) {
    std::promise<decltype(f())> result;
    loop_.post([&] {
      if constexpr (std::is_void_v<decltype(f())>) {
        f();
        result.set_value();
      } else {
        result.set_value(f());
      }
    });
    return result.get_future().get();
  }

  Stream::Append append(event::FrameRef f) {
    return on_loop([&] { return stream_->append(f); });
  }
  // Appends until the socket is full and something is owed; returns the bytes taken.
  std::string fill(std::size_t piece) {
    std::string all;
    for (char c = 'a';; c = c == 'z' ? 'a' : static_cast<char>(c + 1)) {
      const std::string bytes(piece, c);
      if (append(frame(bytes)) != Stream::Append::kTaken) ADD_FAILURE() << "not taken";
      all += bytes;
      if (on_loop([&] { return stream_->blocked(); })) return all;
    }
  }
  std::optional<CloseReason> reason() {
    return on_loop([&] { return closed_; });
  }
  bool closes_with(CloseReason expected) {
    return testing::eventually([&] { return reason().has_value(); }) && reason() == expected;
  }

  bool chunked_ = false;
  Stream::Limits limits_;
  const Stream::Host host_{loop_, *this, limits_};
  EventLoop loop_{"test"};
  std::optional<testing::Client> client_;
  std::unique_ptr<PlainStream> stream_;
  // Loop thread only.
  bool dirty_ = false;
  int flushes_ = 0;
  int drained_ = 0;
  bool awaits_ = false;
  std::optional<CloseReason> closed_;
  int closed_times_ = 0;
  std::vector<std::uint64_t> acknowledged_;

 private:
  void stream_dirty(Stream&) override { dirty_ = true; }
  void stream_closed(Stream&, CloseReason reason) override {
    closed_ = reason;
    ++closed_times_;
  }
  void stream_acknowledged(Stream&, MessageId message, event::TargetKind recipient) override {
    EXPECT_EQ(recipient, event::TargetKind::kUser);
    acknowledged_.push_back(message.value());
  }
  void stream_unacknowledged(Stream&) override { awaits_ = true; }
  void stream_drained(Stream&) override { ++drained_; }

  bool started_ = false;
};

}  // namespace sse::net
