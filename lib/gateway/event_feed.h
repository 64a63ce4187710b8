#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "gateway/happenings.h"
#include "net/event_loop.h"
#include "net/stream.h"
#include "net/stream_head.h"
#include "observe/metrics.h"

namespace sse::gateway {

/// Which happenings somebody wants to see. Empty fields match everything.
struct HappeningFilter {
  std::set<Happening::Type> types{};
  UserId user{};
  ServiceName service{};

  bool matches(const Happening& happening) const;
};

/// Shows what happens to those who follow it over the admin API: a line of JSON each, on streams of the admin loop, so
/// that a follower costs a descriptor and no thread. One that reads too slowly misses happenings, and is told how many
/// by a line `{"type":"missed","count":n}` in their place.
class EventFeed final : public HappeningSink, private net::StreamOwner {
 public:
  /// Most followers at a time.
  static constexpr std::size_t kMostFollowers = 100;

  /// `loop` must not be started yet; it and the others must outlive the feed.
  EventFeed(net::EventLoop& loop, const Happenings& happenings, observe::Registry& metrics);
  /// REQUIRES: the loop has stopped.
  ~EventFeed();
  EventFeed(const EventFeed&) = delete;
  EventFeed& operator=(const EventFeed&) = delete;

  // Any thread.
  void offer(const HappeningRef& happening) override EXCLUDES(mutex_);
  bool wants_sends() const override { return followers() > 0; }
  /// Begins with up to `last` happenings of the past, then goes on live, without gap or double.
  void follow(net::Socket socket, net::StreamHead head, HappeningFilter filter, std::size_t last);
  std::size_t followers() const { return count_.load(std::memory_order_relaxed); }
  /// Ends all of them.
  void stop();

 private:
  struct Follower;

  void stream_dirty(net::Stream& stream) override;
  void stream_closed(net::Stream& stream, net::CloseReason reason) override;
  void stream_acknowledged(net::Stream&, MessageId, event::TargetKind) override {}
  void stream_awaits(net::Stream&) override {}
  void stream_drained(net::Stream& stream) override;

  void add(net::Socket socket, const net::StreamHead& head, HappeningFilter filter, std::size_t last,
           std::uint64_t since);
  void take_inbox() EXCLUDES(mutex_);
  void show(Follower& follower, const event::FrameRef& line);
  void end_turn();

  net::EventLoop& loop_;
  const Happenings& happenings_;
  observe::Counter& missed_;
  const net::Stream::Limits limits_;
  const net::Stream::Host host_;

  // Loop thread only.
  std::vector<std::unique_ptr<Follower>> followers_;
  std::vector<Follower*> dirty_;
  std::vector<Follower*> closed_;

  std::atomic<std::size_t> count_{0};
  Mutex mutex_;
  std::vector<HappeningRef> inbox_ GUARDED_BY(mutex_);
  std::size_t inbox_bytes_ GUARDED_BY(mutex_) = 0;
  std::uint64_t overflowed_ GUARDED_BY(mutex_) = 0;  // happenings the inbox had no room for
};

}  // namespace sse::gateway
