#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "admin/event_order.h"
#include "application/activity_log.h"
#include "base/mutex.h"
#include "net/event_loop.h"
#include "net/stream.h"
#include "net/stream_head.h"
#include "observe/metrics.h"

namespace sse::admin {

/// `{"type":"gap"}`: the client has missed events behind its cursor. `cursor`: where it is now.
event::Json gap_json(const application::ActivityLog::Resumed& resumed, bool all, const std::string& cursor);

/// Selects activity events. Empty fields match everything.
struct ActivityFilter {
  std::set<application::ActivityEvent::Type> types{};
  UserId user{};
  ServiceName service{};

  bool matches(const application::ActivityEvent& activity) const;
  bool matches_all() const;
};

/// Streams activity events to followers over the admin API (`GET /api/v1/events?follow=true`), one JSON object a line
/// or as an event stream, in the order of their sequence numbers. Each has a cursor, with which a client resumes behind
/// it; what is no longer stored then is announced by `{"type":"gap"}`. The streams belong to the admin loop, so that a
/// follower costs a descriptor and no thread. A follower that reads too slowly misses activity events and gets a line
/// `{"type":"missed","count":n}` in their place.
class EventFeed final : public application::ActivityListener, private net::StreamOwner {
 public:
  enum class Format : unsigned char {
    kLines,        ///< one JSON object a line, with the cursor in its field `cursor`
    kEventStream,  ///< the same as `data` of an event, whose `id` is the cursor (WHATWG HTML 9.2)
  };
  /// What a follower wants.
  struct Request {
    ActivityFilter filter{};
    std::size_t last = 0;  ///< maximum number of past events; without a cursor
    std::string cursor{};  ///< of the last event that the client has had; empty: none
    Format format = Format::kLines;
  };

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
  /// Sends past activity events, then live ones, without gaps or duplicates.
  void follow(net::Socket socket, net::StreamHead head, Request request);
  std::size_t followers() const { return count_.load(); }
  /// Ends the streams of all followers.
  void stop();

 private:
  struct Follower;

  void stream_dirty(net::Stream& stream) override;
  void stream_closed(net::Stream& stream, net::CloseReason reason) override;
  void stream_acknowledged(net::Stream&, MessageId, event::TargetKind) override {}
  void stream_unacknowledged(net::Stream&) override {}
  void stream_drained(net::Stream& stream) override;

  void add(net::Socket socket, const net::StreamHead& head, Request request, std::uint64_t since);
  void show_past(Follower& follower, const Request& request, std::uint64_t since);
  void take_inbox() EXCLUDES(mutex_);
  void show(const application::ActivityEvent& activity);
  void show(Follower& follower, const event::FrameRef& frame);
  void show_missed(Follower& follower);
  event::FrameRef frame_of(const application::ActivityEvent& activity, Format format) const;
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
  EventOrder order_;  // since the first of the followers

  std::atomic<std::size_t> count_{0};
  Mutex mutex_;
  std::vector<application::ActivityEventRef> inbox_ GUARDED_BY(mutex_);
  std::size_t inbox_bytes_ GUARDED_BY(mutex_) = 0;
  // Sequence numbers of activity events dropped by a full inbox, up to a limit; then their number.
  std::vector<std::uint64_t> overflowed_ GUARDED_BY(mutex_);
  std::uint64_t uncounted_ GUARDED_BY(mutex_) = 0;
};

}  // namespace sse::admin
