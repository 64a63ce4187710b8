#include "application/activity_log.h"

#include <algorithm>
#include <random>
#include <utility>

#include "base/error.h"
#include "base/hex.h"
#include "base/ids.h"
#include "base/text.h"

namespace sse::application {
namespace {

// Enough to show the recent past; the stored events count towards the memory per stream.
constexpr std::size_t kMaxStored = 256;
constexpr std::size_t kMaxStoredBytes = std::size_t{512} * 1024;
constexpr std::size_t kMaxCursor = 60;

std::string random_run() {
  std::array<unsigned char, 6> word{};
  std::random_device random;
  for (unsigned char& byte : word) byte = static_cast<unsigned char>(random());
  return to_hex(word);
}

}  // namespace

ActivityLog::ActivityLog(const Clock& clock) : clock_(clock), run_(random_run()) {}

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

ActivityLog::Kind ActivityLog::kind_of(ActivityEvent::Type type) {
  if (type == ActivityEvent::Type::kSend) return kSends;
  if (type == ActivityEvent::Type::kRefused) return kRefusals;
  return type >= ActivityEvent::Type::kConfirmed ? kReports : kPresence;
}

void ActivityLog::merge(std::vector<ActivityEventRef>& batch) const {
  const MutexLock lock(mutex_);
  for (ActivityEventRef& one : batch) {
    StoredEvents& stored = stored_.at(kind_of(one->type));
    stored.bytes += one->bytes;
    stored.all.push_back(std::move(one));
    while (stored.all.size() > kMaxStored || stored.bytes > kMaxStoredBytes) {
      const ActivityEvent& oldest = *stored.all.front();
      stored.bytes -= oldest.bytes;
      stored.lost = std::max(stored.lost, oldest.sequence);
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
  const std::size_t skipped = all || requests.size() < kMaxStored ? 0 : requests.size() - kMaxStored;
  if (skipped != 0) skip_sends();
  for (std::size_t i = skipped; i < requests.size(); ++i) {
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

void ActivityLog::reported(const std::vector<DeliveryReport>& reports) {
  for (const DeliveryReport& report : reports) {
    ActivityEvent activity;
    activity.type = type_of(report.outcome);
    activity.time = report.time;
    activity.service = report.service;
    activity.report = std::make_shared<const DeliveryReport>(report);
    publish(std::move(activity));
  }
}

// They get no sequence number, which would be a hole for the listeners; so whoever has had all up to now, or less, has
// missed them.
void ActivityLog::skip_sends() {
  const std::uint64_t now = sequence();
  const MutexLock lock(mutex_);
  stored_[kSends].lost = std::max(stored_[kSends].lost, now + 1);
  stored_[kSends].skipped = true;
}

std::vector<ActivityEventRef> ActivityLog::last() const {
  batched_.collect([this](std::vector<ActivityEventRef>& batch) { merge(batch); });
  const MutexLock lock(mutex_);
  return in_order();
}

std::vector<ActivityEventRef> ActivityLog::in_order() const {
  std::vector<ActivityEventRef> all;
  for (const StoredEvents& stored : stored_) all.insert(all.end(), stored.all.begin(), stored.all.end());
  std::ranges::sort(all, {}, [](const ActivityEventRef& h) { return h->sequence; });
  return all;
}

ActivityLog::Resumed ActivityLog::since(std::string_view cursor, const std::set<ActivityEvent::Type>& types) const {
  const std::size_t dash = cursor.find('-');
  const std::string_view digits = dash == std::string_view::npos ? "" : cursor.substr(dash + 1);
  const std::optional<std::uint64_t> position = digits == "0" ? std::optional<std::uint64_t>(0) : parse_id(digits);
  if (!position || dash == 0 || cursor.size() > kMaxCursor) {
    throw Error(ErrorCode::kInvalidArgument,
                "'" + printable(cursor, 60) + "' is not a cursor of activity events; use the field 'cursor' of one");
  }
  Resumed resumed;
  batched_.collect([this](std::vector<ActivityEventRef>& batch) { merge(batch); });
  const MutexLock lock(mutex_);
  resumed.events = in_order();
  const std::uint64_t latest = resumed.events.empty() ? 0 : resumed.events.back()->sequence;
  if (cursor.substr(0, dash) != run_ || *position > std::max(latest, sequence())) {
    resumed.gap = resumed.restarted = true;
    return resumed;
  }
  std::erase_if(resumed.events, [&](const ActivityEventRef& one) { return one->sequence <= *position; });
  bool skipped = false;
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    const StoredEvents& stored = stored_.at(kind);
    if (stored.lost <= *position) continue;
    skipped = skipped || stored.skipped;
    resumed.gap = resumed.gap || types.empty() ||
                  std::ranges::any_of(types, [&](ActivityEvent::Type type) { return kind_of(type) == kind; });
  }
  if (resumed.gap && !skipped && latest > *position) resumed.lost = latest - *position - resumed.events.size();
  return resumed;
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
