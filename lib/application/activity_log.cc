#include "application/activity_log.h"

#include <algorithm>
#include <utility>

namespace sse::application {
namespace {

// Enough to show the recent past; the stored events count towards the memory per stream.
constexpr std::size_t kMaxStored = 256;
constexpr std::size_t kMaxStoredBytes = std::size_t{512} * 1024;

}  // namespace

ActivityEvent ActivityLog::make_event(ActivityEvent::Type type, const ServiceName& service,
                                      hub::ConnectionInfo connection) const {
  ActivityEvent activity;
  activity.type = type;
  activity.time = clock_.wall_now();
  activity.service = service;
  activity.connection = std::move(connection);
  return activity;
}

void ActivityLog::publish(ActivityEvent activity) {
  const auto made = std::make_shared<ActivityEvent>(std::move(activity));
  made->bytes = made->count_bytes();
  const ActivityEventRef shared = made;
  batched_.add(
      [&] {
        made->sequence = sequence_.fetch_add(1) + 1;
        return std::pair(shared, shared->bytes);
      },
      [this](std::vector<ActivityEventRef>& batch) { merge(batch); });
  for (ActivityListener* listener : listeners_) listener->offer(shared);
}

void ActivityLog::merge(std::vector<ActivityEventRef>& batch) const {
  const MutexLock lock(mutex_);
  for (ActivityEventRef& one : batch) {
    StoredEvents& stored = one->type == ActivityEvent::Type::kSend      ? sends_
                           : one->type == ActivityEvent::Type::kRefused ? refusals_
                                                                        : presence_;
    stored.bytes += one->bytes;
    stored.all.push_back(std::move(one));
    while (stored.all.size() > kMaxStored || stored.bytes > kMaxStoredBytes) {
      stored.bytes -= stored.all.front()->bytes;
      stored.all.pop_front();
    }
  }
}

void ActivityLog::requested(ActivityEvent::Type type, const ServiceName& service, hub::ConnectionInfo connection,
                            std::string path, int status) {
  ActivityEvent activity = make_event(type, service, std::move(connection));
  activity.path = std::move(path);
  activity.status = status;
  publish(std::move(activity));
}

void ActivityLog::refused(const ServiceName& service, hub::ConnectionInfo connection, int status,
                          std::string_view reason, std::string sentence) {
  ActivityEvent activity = make_event(ActivityEvent::Type::kRefused, service, std::move(connection));
  activity.status = status;
  activity.reason = reason;
  activity.note = std::move(sentence);
  publish(std::move(activity));
}

void ActivityLog::channel_occupied(const ServiceName& service, const std::string& channel, bool occupied) {
  ActivityEvent activity;
  activity.type = occupied ? ActivityEvent::Type::kOccupied : ActivityEvent::Type::kVacated;
  activity.time = clock_.wall_now();
  activity.service = service;
  activity.channel = channel;
  publish(std::move(activity));
}

void ActivityLog::sent(const ServiceName& service, const std::vector<delivery::SendRequest>& requests,
                       const std::vector<delivery::SendOutcome>& outcomes) {
  const WallTime now = clock_.wall_now();
  const bool all =
      std::ranges::any_of(listeners_, [](const ActivityListener* listener) { return listener->wants_sends(); });
  // Of a bulk send of a hundred thousand, only the last ones are stored anyway.
  for (std::size_t i = all || requests.size() < kMaxStored ? 0 : requests.size() - kMaxStored; i < requests.size();
       ++i) {
    if (outcomes[i].refusal) continue;
    ActivityEvent activity;
    activity.type = ActivityEvent::Type::kSend;
    activity.time = now;
    activity.service = service;
    activity.event = requests[i].event;
    std::size_t room = ActivityEvent::kMaxNames;
    const auto shown = [&](const event::Target& target) {
      const auto names = target.names.begin();
      const std::size_t count = std::min(target.names.size(), room);
      room -= count;
      activity.recipients += target.names.size();
      return event::Target{
          target.kind, {names, names + static_cast<std::ptrdiff_t>(count)}, target.listening, target.of_tenant};
    };
    activity.target = shown(requests[i].target);
    for (const event::Target& further : requests[i].also) activity.also.push_back(shown(further));
    activity.qos = requests[i].qos;
    activity.message = outcomes[i].result.id;
    activity.delivered = outcomes[i].result.delivered;
    activity.pending = outcomes[i].result.pending;
    publish(std::move(activity));
  }
}

std::vector<ActivityEventRef> ActivityLog::last() const {
  batched_.collect([this](std::vector<ActivityEventRef>& batch) { merge(batch); });
  std::vector<ActivityEventRef> all;
  {
    const MutexLock lock(mutex_);
    all.reserve(presence_.all.size() + sends_.all.size() + refusals_.all.size());
    for (const StoredEvents* stored : {&presence_, &sends_, &refusals_})
      all.insert(all.end(), stored->all.begin(), stored->all.end());
  }
  std::ranges::sort(all, {}, [](const ActivityEventRef& h) { return h->sequence; });
  return all;
}

void ActivityLog::connected(const ServiceName& service, hub::ConnectionInfo connection) {
  publish(make_event(ActivityEvent::Type::kConnect, service, std::move(connection)));
}

void ActivityLog::disconnected(const ServiceName& service, hub::ConnectionInfo connection, net::CloseReason reason,
                               std::string note) {
  ActivityEvent activity = make_event(ActivityEvent::Type::kDisconnect, service, std::move(connection));
  activity.reason = net::reason_name(reason);
  activity.note = std::move(note);
  publish(std::move(activity));
}

void ActivityLog::listening_changed(const ServiceName& service, hub::ConnectionInfo connection,
                                    std::vector<std::string> names, bool added) {
  ActivityEvent activity = make_event(ActivityEvent::Type::kListening, service, std::move(connection));
  activity.names = std::move(names);
  activity.added = added;
  publish(std::move(activity));
}

}  // namespace sse::application
