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

event::FrameRef line_of(const event::Json& json) {
  return event::Frame::make(event::dump_json(json) + "\n");
}

}  // namespace

bool ActivityFilter::matches(const application::ActivityEvent& activity) const {
  if (!types.empty() && !types.contains(activity.type)) return false;
  if (!service.empty() && activity.service != service) return false;
  return user.empty() || application::concerns(activity, user);
}

struct EventFeed::Follower final : net::Stream {
  Follower(const net::Stream::Host& host, net::Socket socket, bool chunked, ActivityFilter wanted)
      : net::Stream(host, std::move(socket), chunked), filter(std::move(wanted)) {}

  const ActivityFilter filter;
  std::uint64_t seen = 0;  // sequence of the last past event that was sent
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
      ++overflowed_;
      return;
    }
    first = inbox_.empty();
    inbox_.push_back(activity);
    inbox_bytes_ += activity->bytes;
  }
  if (first) loop_.post([this] { take_inbox(); });
}

void EventFeed::follow(net::Socket socket, net::StreamHead head, ActivityFilter filter, std::size_t last) {
  // Counted immediately, so that no event is missed from now on.
  count_.fetch_add(1);
  loop_.post(
      [this, socket = std::move(socket), head = std::move(head), filter = std::move(filter), last,
       since = activity_log_.sequence()]() mutable { add(std::move(socket), head, std::move(filter), last, since); });
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

void EventFeed::add(net::Socket socket, const net::StreamHead& head, ActivityFilter filter, std::size_t last,
                    std::uint64_t since) {
  loop_.assert_in_loop_thread();
  try {
    followers_.push_back(std::make_unique<Follower>(host_, std::move(socket), head.chunked, std::move(filter)));
  } catch (const Error& e) {
    count_.fetch_sub(1);
    observe::log_warn("a follower of events was refused", {{"error", e.what()}});
    return;
  }
  Follower& follower = *followers_.back();
  follower.append(event::Frame::make_unframed(head.bytes));
  std::vector<application::ActivityEventRef> past = activity_log_.last();
  if (!past.empty()) follower.seen = past.back()->sequence;
  std::erase_if(past, [&](const application::ActivityEventRef& h) { return !follower.filter.matches(*h); });
  const auto live =
      std::ranges::upper_bound(past, since, {}, [](const application::ActivityEventRef& h) { return h->sequence; });
  const auto before = static_cast<std::size_t>(live - past.begin());
  for (std::size_t i = before - std::min(last, before); i < past.size(); ++i)
    show(follower, line_of(application::to_json(*past[i])));
}

void EventFeed::take_inbox() {
  std::vector<application::ActivityEventRef> inbox;
  std::uint64_t overflowed = 0;
  {
    const MutexLock lock(mutex_);
    inbox.swap(inbox_);
    inbox_bytes_ = 0;
    overflowed = std::exchange(overflowed_, 0);
  }
  for (const application::ActivityEventRef& activity : inbox) {
    event::FrameRef line;  // built when the first follower needs it
    for (const auto& follower : followers_) {
      if (activity->sequence <= follower->seen || !follower->filter.matches(*activity)) continue;
      if (!line) line = line_of(application::to_json(*activity));
      show(*follower, line);
    }
  }
  if (overflowed == 0) return;
  missed_.add(overflowed);
  for (const auto& follower : followers_) follower->missed += overflowed;
}

void EventFeed::show(Follower& follower, const event::FrameRef& line) {
  if (!follower.open()) return;
  if (follower.missed > 0) {
    const event::FrameRef marker = line_of({{"type", "missed"}, {"count", follower.missed}});
    if (follower.append(marker) == net::Stream::Append::kTaken) follower.missed = 0;
  }
  if (follower.missed > 0 || follower.append(line) == net::Stream::Append::kDropped) {
    ++follower.missed;
    missed_.add();
  }
}

void EventFeed::stream_drained(net::Stream& stream) {
  auto& follower = static_cast<Follower&>(stream);
  if (follower.missed == 0) return;
  follower.append(line_of({{"type", "missed"}, {"count", std::exchange(follower.missed, 0)}}));
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
