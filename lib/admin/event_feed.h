#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "application/activity_log.h"
#include "base/mutex.h"
#include "net/event_loop.h"
#include "net/stream.h"
#include "net/stream_head.h"
#include "observe/metrics.h"

namespace sse::admin {

/// Selects activity events. Empty fields match everything.
struct ActivityFilter {
  std::set<application::ActivityEvent::Type> types{};
  UserId user{};
  ServiceName service{};

  bool matches(const application::ActivityEvent& activity) const;
};

/// Streams activity events to followers over the admin API (`GET /api/v1/events?follow=true`), one JSON object a line.
/// The streams belong to the admin loop, so that a follower costs a descriptor and no thread. A follower that reads too
/// slowly misses activity events and gets a line `{"type":"missed","count":n}` in their place.
class EventFeed final : public application::ActivityListener, private net::StreamOwner {
 public:
  /// Maximum number of followers at a time.
  static constexpr std::size_t kMaxFollowers = 100;

  /// `loop` must not be started yet; it and the others must outlive the feed.
  EventFeed(net::EventLoop& loop, const application::ActivityLog& activity_log, observe::Registry& metrics);
  /// REQUIRES: the loop has stopped.
  ~EventFeed();
  EventFeed(const EventFeed&) = delete;
  EventFeed& operator=(const EventFeed&) = delete;

  // Any thread.
  void offer(const application::ActivityEventRef& activity) override EXCLUDES(mutex_);
  bool wants_sends() const override { return followers() > 0; }
  /// Sends up to `last` past activity events, then live ones, without gaps or duplicates.
  void follow(net::Socket socket, net::StreamHead head, ActivityFilter filter, std::size_t last);
  std::size_t followers() const { return count_.load(std::memory_order_relaxed); }
  /// Ends the streams of all followers.
  void stop();

 private:
  struct Follower;

  void stream_dirty(net::Stream& stream) override;
  void stream_closed(net::Stream& stream, net::CloseReason reason) override;
  void stream_acknowledged(net::Stream&, MessageId, event::TargetKind) override {}
  void stream_unacknowledged(net::Stream&) override {}
  void stream_drained(net::Stream& stream) override;

  void add(net::Socket socket, const net::StreamHead& head, ActivityFilter filter, std::size_t last,
           std::uint64_t since);
  void take_inbox() EXCLUDES(mutex_);
  void show(Follower& follower, const event::FrameRef& line);
  void end_turn();

  net::EventLoop& loop_;
  const application::ActivityLog& activity_log_;
  observe::Counter& missed_;
  const net::Stream::Limits limits_;
  const net::Stream::Host host_;

  // Loop thread only.
  std::vector<std::unique_ptr<Follower>> followers_;
  std::vector<Follower*> dirty_;
  std::vector<Follower*> closed_;

  std::atomic<std::size_t> count_{0};
  Mutex mutex_;
  std::vector<application::ActivityEventRef> inbox_ GUARDED_BY(mutex_);
  std::size_t inbox_bytes_ GUARDED_BY(mutex_) = 0;
  std::uint64_t overflowed_ GUARDED_BY(mutex_) = 0;  // activity events dropped by a full inbox
};

}  // namespace sse::admin
