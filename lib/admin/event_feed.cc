#include "admin/event_feed.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "event/frame.h"
#include "observe/log.h"

namespace sse::admin {
namespace {

constexpr std::size_t kMaxInbox = 50'000;
constexpr std::size_t kMaxInboxBytes = std::size_t{16} * 1024 * 1024;
constexpr std::chrono::milliseconds kHeartbeat{15'000};

constexpr std::size_t kMaxOverflowed = 1'000'000;

event::FrameRef frame_of_json(const event::Json& json, EventFeed::Format format) {
  if (format == EventFeed::Format::kLines) return event::Frame::make(event::dump_json(json) + "\n");
  std::string text;
  if (const auto cursor = json.find("cursor"); cursor != json.end()) text = "id: " + cursor->get<std::string>() + "\n";
  text += "event: " + json["type"].get<std::string>() + "\ndata: " + event::dump_json(json) + "\n\n";
  return event::Frame::make(std::move(text));
}

}  // namespace

event::Json gap_json(const application::ActivityLog::Resumed& resumed, bool all, const std::string& cursor) {
  event::Json gap{{"type", "gap"}, {"reason", resumed.restarted ? "restarted" : "overrun"}, {"cursor", cursor}};
  // Of some events only, how many of those were lost is not known.
  if (all && resumed.lost) gap["count"] = *resumed.lost;
  return gap;
}

bool ActivityFilter::matches(const application::ActivityEvent& activity) const {
  if (!types.empty() && !types.contains(activity.type)) return false;
  if (!service.empty() && activity.service != service) return false;
  return user.empty() || application::concerns(activity, user);
}

bool ActivityFilter::matches_all() const {
  return types.empty() && service.empty() && user.empty();
}

struct EventFeed::Follower final : net::Stream {
  Follower(const net::Stream::Host& host, net::Socket socket, bool chunked, const Request& request)
      : net::Stream(host, std::move(socket), chunked), filter(request.filter), format(request.format) {}

  const ActivityFilter filter;
  const Format format;
  std::uint64_t seen = 0;  // sequence number up to which past events were sent
  std::uint64_t missed = 0;
};

EventFeed::EventFeed(net::EventLoop& loop, const application::ActivityLog& activity_log, observe::Registry& metrics)
    : loop_(loop),
      activity_log_(activity_log),
      missed_(metrics.counter("sse_event_feed_missed_total", "Activity events dropped by slow followers")),
      limits_{1024ULL * 1024, net::Stream::Overflow::kDrop},
      host_{loop, *this, limits_} {
  metrics.gauge_callback("sse_event_feed_followers", "Followers of activity events (ssectl events --follow)",
                         [this] { return static_cast<double>(followers()); });
  loop_.at_turn_end([this] { end_turn(); });
  // An empty line detects lost peers and prevents proxies from timing out.
  loop_.run_every(kHeartbeat, [this] {
    const event::FrameRef blank = event::Frame::make("\n");
    for (const auto& follower : followers_) follower->append(blank);
  });
}

EventFeed::~EventFeed() = default;

void EventFeed::offer(const application::ActivityEventRef& activity) {
  if (followers() == 0) return;
  bool first = false;
  {
    const MutexLock lock(mutex_);
    if (inbox_.size() >= kMaxInbox || inbox_bytes_ + activity->bytes > kMaxInboxBytes) {
      if (overflowed_.size() < kMaxOverflowed) {
        overflowed_.push_back(activity->sequence);
      } else {
        ++uncounted_;
      }
      return;
    }
    first = inbox_.empty();
    inbox_.push_back(activity);
    inbox_bytes_ += activity->bytes;
  }
  if (first) loop_.post([this] { take_inbox(); });
}

void EventFeed::follow(net::Socket socket, net::StreamHead head, Request request) {
  // Counted before the sequence number is read: the events behind it are offered.
  count_.fetch_add(1);
  loop_.post([this, socket = std::move(socket), head = std::move(head), request = std::move(request),
              since = activity_log_.sequence()]() mutable { add(std::move(socket), head, std::move(request), since); });
}

void EventFeed::stop() {
  loop_.post([this] {
    for (const auto& follower : followers_) {
      follower->finish(net::CloseReason::kShutdown);
      follower->flush();
      follower->abort(net::CloseReason::kShutdown);
    }
  });
}

void EventFeed::add(net::Socket socket, const net::StreamHead& head, Request request, std::uint64_t since) {
  loop_.assert_in_loop_thread();
  // Whatever is offered from now on, and was not before, is behind it.
  if (followers_.empty()) order_.start(since);
  try {
    followers_.push_back(std::make_unique<Follower>(host_, std::move(socket), head.chunked, request));
  } catch (const Error& e) {
    count_.fetch_sub(1);
    observe::log_warn("a follower of events was refused", {{"error", e.what()}});
    return;
  }
  Follower& follower = *followers_.back();
  follower.append(event::Frame::make_unframed(head.bytes));
  show_past(follower, request, since);
}

void EventFeed::show_past(Follower& follower, const Request& request, std::uint64_t since) {
  using application::ActivityEventRef;
  std::vector<ActivityEventRef> past;
  const auto sequence_of = [](const ActivityEventRef& one) { return one->sequence; };
  if (request.cursor.empty()) {
    past = activity_log_.last();
  } else {
    application::ActivityLog::Resumed resumed = activity_log_.since(request.cursor, request.filter.types);
    past = std::move(resumed.events);
    if (resumed.gap) {
      // The events that follow it here are behind the gap.
      const std::uint64_t before = past.empty() ? since : past.front()->sequence - 1;
      show(follower, frame_of_json(gap_json(resumed, request.filter.matches_all(), activity_log_.cursor_of(before)),
                                   follower.format));
    }
  }
  follower.seen = past.empty() ? since : std::max(since, past.back()->sequence);
  std::erase_if(past, [&](const ActivityEventRef& one) { return !follower.filter.matches(*one); });
  std::size_t begin = 0;
  if (request.cursor.empty()) {
    const auto live = std::ranges::upper_bound(past, since, {}, sequence_of);
    const auto before = static_cast<std::size_t>(live - past.begin());
    begin = before - std::min(request.last, before);
  }
  for (std::size_t i = begin; i < past.size(); ++i) show(follower, frame_of(*past[i], follower.format));
}

event::FrameRef EventFeed::frame_of(const application::ActivityEvent& activity, Format format) const {
  event::Json json = application::to_json(activity);
  json["cursor"] = activity_log_.cursor_of(activity.sequence);
  return frame_of_json(json, format);
}

void EventFeed::take_inbox() {
  std::vector<application::ActivityEventRef> inbox;
  std::vector<std::uint64_t> overflowed;
  std::uint64_t uncounted = 0;
  {
    const MutexLock lock(mutex_);
    inbox.swap(inbox_);
    overflowed.swap(overflowed_);
    inbox_bytes_ = 0;
    uncounted = std::exchange(uncounted_, 0);
  }
  for (application::ActivityEventRef& activity : inbox) order_.add(std::move(activity));
  for (const std::uint64_t sequence : overflowed) order_.skip(sequence);
  for (const EventOrder::Entry& entry : order_.take()) {
    if (entry.activity) {
      show(*entry.activity);
    } else {
      missed_.add(entry.missed);
      for (const auto& follower : followers_) follower->missed += entry.missed;
    }
  }
  if (uncounted == 0) return;
  missed_.add(uncounted);
  for (const auto& follower : followers_) follower->missed += uncounted;
  order_.start(activity_log_.sequence());
}

void EventFeed::show(const application::ActivityEvent& activity) {
  // Each is built when the first follower needs it.
  event::FrameRef lines;
  event::FrameRef stream;
  for (const auto& follower : followers_) {
    if (activity.sequence <= follower->seen || !follower->filter.matches(activity)) continue;
    event::FrameRef& frame = follower->format == Format::kLines ? lines : stream;
    if (!frame) frame = frame_of(activity, follower->format);
    show(*follower, frame);
  }
}

void EventFeed::show_missed(Follower& follower) {
  const event::FrameRef marker = frame_of_json({{"type", "missed"}, {"count", follower.missed}}, follower.format);
  if (follower.append(marker) == net::Stream::Append::kTaken) follower.missed = 0;
}

void EventFeed::show(Follower& follower, const event::FrameRef& frame) {
  if (!follower.open()) return;
  if (follower.missed > 0) show_missed(follower);
  if (follower.missed > 0 || follower.append(frame) == net::Stream::Append::kDropped) {
    ++follower.missed;
    missed_.add();
  }
}

void EventFeed::stream_drained(net::Stream& stream) {
  auto& follower = static_cast<Follower&>(stream);
  if (follower.missed > 0) show_missed(follower);
}

void EventFeed::stream_dirty(net::Stream& stream) {
  dirty_.push_back(static_cast<Follower*>(&stream));
}

void EventFeed::stream_closed(net::Stream& stream, net::CloseReason /*reason*/) {
  closed_.push_back(static_cast<Follower*>(&stream));
}

void EventFeed::end_turn() {
  for (std::size_t i = 0; i < dirty_.size(); ++i) dirty_[i]->flush();
  dirty_.clear();
  for (Follower* closed : std::exchange(closed_, {})) {
    std::erase_if(followers_, [closed](const auto& follower) { return follower.get() == closed; });
    count_.fetch_sub(1);
  }
}

}  // namespace sse::admin
