#include "gateway/happenings.h"

#include <algorithm>
#include <utility>

namespace sse::gateway {
namespace {

// Enough to see what was going on a moment ago; what is kept counts into the memory a stream costs.
constexpr std::size_t kMostKept = 256;
constexpr std::size_t kMaxKeptBytes = std::size_t{512} * 1024;

}  // namespace

Happening Happenings::about(Happening::Type type, const ServiceName& service, hub::ConnectionInfo connection) const {
  Happening happening;
  happening.type = type;
  happening.time = clock_.wall_now();
  happening.service = service;
  happening.connection = std::move(connection);
  return happening;
}

void Happenings::publish(Happening happening) {
  const auto made = std::make_shared<Happening>(std::move(happening));
  made->bytes = made->count_bytes();
  const HappeningRef shared = made;
  batched_.add(
      [&] {
        made->sequence = sequence_.fetch_add(1) + 1;
        return std::pair(shared, shared->bytes);
      },
      [this](std::vector<HappeningRef>& batch) { take(batch); });
  for (HappeningSink* sink : sinks_) sink->offer(shared);
}

void Happenings::take(std::vector<HappeningRef>& batch) const {
  const MutexLock lock(mutex_);
  for (HappeningRef& one : batch) {
    Kept& kept = one->type == Happening::Type::kSend ? sends_ : presence_;
    kept.bytes += one->bytes;
    kept.all.push_back(std::move(one));
    while (kept.all.size() > kMostKept || kept.bytes > kMaxKeptBytes) {
      kept.bytes -= kept.all.front()->bytes;
      kept.all.pop_front();
    }
  }
}

void Happenings::requested(Happening::Type type, const ServiceName& service, hub::ConnectionInfo connection,
                           std::string path, int status) {
  Happening happening = about(type, service, std::move(connection));
  happening.path = std::move(path);
  happening.status = status;
  publish(std::move(happening));
}

void Happenings::sent(const ServiceName& service, const std::vector<delivery::SendRequest>& requests,
                      const std::vector<delivery::SendOutcome>& outcomes) {
  const WallTime now = clock_.wall_now();
  const bool all = std::ranges::any_of(sinks_, [](const HappeningSink* sink) { return sink->wants_sends(); });
  // Of a bulk of a hundred thousand only the last are remembered anyway.
  for (std::size_t i = all || requests.size() < kMostKept ? 0 : requests.size() - kMostKept; i < requests.size(); ++i) {
    if (outcomes[i].refusal) continue;
    Happening happening;
    happening.type = Happening::Type::kSend;
    happening.time = now;
    happening.service = service;
    happening.event = requests[i].event;
    const event::Target& target = requests[i].target;
    const auto names = target.names.begin();
    const auto most = static_cast<std::ptrdiff_t>(std::min(target.names.size(), Happening::kMostNames));
    happening.target = event::Target{target.kind, {names, names + most}, target.listening};
    happening.recipients = target.names.size();
    happening.qos = requests[i].qos;
    happening.message = outcomes[i].result.id;
    happening.delivered = outcomes[i].result.delivered;
    happening.pending = outcomes[i].result.pending;
    publish(std::move(happening));
  }
}

std::vector<HappeningRef> Happenings::last() const {
  batched_.collect([this](std::vector<HappeningRef>& batch) { take(batch); });
  std::vector<HappeningRef> all;
  {
    const MutexLock lock(mutex_);
    all.reserve(presence_.all.size() + sends_.all.size());
    all.insert(all.end(), presence_.all.begin(), presence_.all.end());
    all.insert(all.end(), sends_.all.begin(), sends_.all.end());
  }
  std::ranges::sort(all, {}, [](const HappeningRef& h) { return h->sequence; });
  return all;
}

void Happenings::connected(const ServiceName& service, hub::ConnectionInfo connection) {
  publish(about(Happening::Type::kConnect, service, std::move(connection)));
}

void Happenings::disconnected(const ServiceName& service, hub::ConnectionInfo connection, net::CloseReason reason,
                              std::string note) {
  Happening happening = about(Happening::Type::kDisconnect, service, std::move(connection));
  happening.reason = net::reason_name(reason);
  happening.note = std::move(note);
  publish(std::move(happening));
}

void Happenings::listening_changed(const ServiceName& service, hub::ConnectionInfo connection,
                                   std::vector<std::string> names, bool added) {
  Happening happening = about(Happening::Type::kListening, service, std::move(connection));
  happening.names = std::move(names);
  happening.added = added;
  publish(std::move(happening));
}

}  // namespace sse::gateway
