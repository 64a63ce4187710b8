#include "delivery/publisher.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "delivery/encode_frame.h"
#include "event/event.h"
#include "event/frame.h"
#include "observe/barrier.h"

namespace sse::delivery {
namespace {

// After so many parts a resume no longer releases the lock, so that it ends however fast senders add events.
constexpr std::size_t kMaxRounds = 1000;

event::FrameRef encode(const Outgoing& outgoing) {
  return encode_frame(std::to_string(outgoing.id), outgoing.event, outgoing.data, outgoing.message,
                      outgoing.target.kind);
}

}  // namespace

Publisher::Publisher(const HistoryOptions& options, hub::Hub& hub, IdGenerator& ids, observe::Registry& metrics,
                     const ServiceName& service, RemoteNodes* remote_nodes)
    : remote_nodes_(remote_nodes),
      service_(service),
      hub_(hub),
      ids_(ids),
      resyncs_(History::resync_counter(metrics, service)),
      history_(options, MessageId(ids.next()), metrics, service),
      resumable_(options.events != 0) {}

Publisher::InTransit Publisher::start(std::vector<Outgoing>& events, DeliveryOrder::Place place) {
  const auto flight = std::make_shared<InTransit::Flight>();
  std::vector<hub::Hub::Delivery>& deliveries = flight->deliveries;
  deliveries.reserve(events.size());
  const Outgoing* before = nullptr;
  for (Outgoing& outgoing : events) {
    if (outgoing.message.valid()) {
      outgoing.id = outgoing.message.value();
    } else if (outgoing.id == 0) {
      outgoing.id = ids_.next();
    }
    // Adjacent events of one message, for single recipients, have the same data and so share one frame.
    const bool same = before != nullptr && outgoing.message.valid() && before->message == outgoing.message &&
                      before->target.kind == outgoing.target.kind && &before->data == &outgoing.data;
    const event::FrameRef frame = same ? deliveries.back().frame : encode(outgoing);
    deliveries.push_back({outgoing.target, outgoing.event, frame, {}, outgoing.again});
    before = &outgoing;
  }
  delivery_order_.run(std::move(place), [this, flight, &events] {
    observe::guarded("the delivery of events", [&] { hand_over(events, *flight); });
    flight->started.count_down();
  });
  return InTransit(flight);
}

void Publisher::hand_over(std::vector<Outgoing>& events, InTransit::Flight& flight) {
  std::vector<hub::Hub::Delivery> deliveries = std::move(flight.deliveries);
  if (remote_nodes_ != nullptr) {
    std::vector<hub::Hub::Delivery> away;
    away.reserve(events.size());
    for (std::size_t i = 0; i < deliveries.size(); ++i) {
      if (events[i].local) continue;
      away.push_back(deliveries[i]);
      flight.gone_away.push_back(i);
    }
    flight.away = remote_nodes_->send(service_, away);
  }
  if (remote_nodes_ != nullptr || !resumable_) {
    flight.here = hub_.start_delivery(std::move(deliveries));
    return;
  }

  const MutexLock lock(order_);
  const SteadyTime now = ids_.clock().steady_now();
  for (std::size_t i = 0; i < events.size(); ++i) {
    Outgoing& outgoing = events[i];
    hub::Hub::Delivery& delivery = deliveries[i];
    if (outgoing.id > last_ && !outgoing.again) {
      delivery.position = MessageId(outgoing.id);
    } else {
      // Another sender has published a greater id already.
      delivery.position = MessageId(ids_.next());
      if (outgoing.message.valid()) {
        delivery.frame = hub::with_cursor(*delivery.frame, delivery.position);
      } else {
        outgoing.id = delivery.position.value();
        delivery.frame = encode(outgoing);
      }
    }
    last_ = delivery.position.value();
    if (!outgoing.again) history_.keep(outgoing.target, outgoing.event, delivery.position, delivery.frame, now);
  }
  flight.here = hub_.start_delivery(std::move(deliveries));
}

std::vector<std::vector<std::uint32_t>> Publisher::InTransit::finish(std::vector<std::string>& missing) {
  auto taken = flight_->wait();
  const std::vector<std::size_t>& gone_away = flight_->gone_away;
  if (!flight_->away || taken.empty()) return taken;
  std::vector<std::vector<std::uint32_t>> combined;
  combined.reserve(gone_away.size());
  for (const std::size_t i : gone_away) combined.push_back(std::move(taken[i]));
  missing = flight_->away->finish(combined);
  for (std::size_t a = 0; a < gone_away.size(); ++a) taken[gone_away[a]] = std::move(combined[a]);
  return taken;
}

ConnectionId Publisher::connect(hub::NewConnection request) {
  if (!resumable_) {
    hub::Resumption resumption;
    if (!request.last_event_id.empty() && !hub_.is_renewed(request)) {
      resyncs_.add();
      resumption.id = request.id.valid() ? request.id : hub_.reserve_id();
      resumption.notice = History::resync_event(request.last_event_id, resumption.id.str(), std::nullopt, std::nullopt);
    }
    return hub_.connect(std::move(request), std::move(resumption));
  }
  History::Client client;
  client.last_event_id = request.last_event_id;
  const auto join = [&client](event::TargetKind kind, const std::string& name) {
    if (!name.empty()) client.topics.emplace_back(kind, name);
  };
  join(event::TargetKind::kUser, request.identity.user.str());
  join(event::TargetKind::kToken, request.identity.token.str());
  join(event::TargetKind::kTenant, request.identity.tenant.str());
  join(event::TargetKind::kChannel, request.channel.str());
  if (!request.identity.user.empty() && !request.identity.tenant.empty())
    join(event::TargetKind::kMember, event::member_name(request.identity.user.str(), request.identity.tenant.str()));
  client.topics.emplace_back(event::TargetKind::kAll, "");
  const std::set<std::string, std::less<>> listeners(request.listeners.begin(), request.listeners.end());
  client.listens = [&listeners](std::string_view event) { return listeners.contains(event); };

  // In parts, because senders need the lock, too. A later part contains the events that they add meanwhile.
  History::Resuming so_far;
  for (std::size_t round = 0;; ++round) {
    {
      const MutexLock lock(order_);
      client.connection = ConnectionId(ids_.next());
      const std::size_t most = round < kMaxRounds ? History::kAtOnce : SIZE_MAX;
      if (history_.collect(client, so_far, ids_.clock().steady_now(), most)) {
        last_ = client.connection.value();
        return hub_.connect(std::move(request), history_.finish(client, std::move(so_far)));
      }
    }
    std::this_thread::yield();
  }
}

void Publisher::expire() {
  const MutexLock lock(order_);
  history_.expire(ids_.clock().steady_now());
}

}  // namespace sse::delivery
