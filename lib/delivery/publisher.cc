#include "delivery/publisher.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <string_view>
#include <thread>
#include <utility>

#include "delivery/encode_frame.h"
#include "event/event.h"
#include "event/frame.h"
#include "hub/client_tag.h"
#include "observe/barrier.h"

namespace sse::delivery {
namespace {

// After so many parts a resume no longer releases the lock, so that it ends however fast senders add events.
constexpr std::size_t kMaxRounds = 1000;
// Of a page of retained events, or a single event.
constexpr std::uint64_t kMaxPageBytes = std::uint64_t{256} * 1024;

// `in_union`: for the streams of further targets, too, which are in none of its channels.
event::FrameRef encode(const Outgoing& outgoing, bool in_union) {
  const event::Target& target = outgoing.target;
  const bool one_channel = !in_union && target.kind == event::TargetKind::kChannel && target.names.size() == 1;
  return encode_frame(std::to_string(outgoing.id), outgoing.event, outgoing.data, outgoing.message, target.kind,
                      one_channel ? std::string_view(target.names.front()) : std::string_view());
}

}  // namespace

Publisher::Publisher(const HistoryOptions& options, hub::Hub& hub, IdGenerator& ids, observe::Registry& metrics,
                     const ServiceName& service, RemoteNodes* remote_nodes)
    : remote_nodes_(remote_nodes),
      service_(service),
      hub_(hub),
      ids_(ids),
      resyncs_(History::resync_counter(metrics, service)),
      resumed_events_(History::resumed_events_counter(metrics, service)),
      history_(options, MessageId(ids.next()), metrics, service),
      resumable_(options.events != 0) {}

void Publisher::start(std::shared_ptr<Publication> publication, DeliveryOrder::Place place) {
  encode_all(*publication);
  publication->encoded();
  delivery_order_.run(std::move(place), [this, publication = std::move(publication)] {
    observe::guarded("the delivery of events", [&] { hand_over(publication); });
    publication->handed_over();
  });
}

void Publisher::encode_all(Publication& publication) {
  std::vector<hub::Hub::Delivery>& deliveries = publication.deliveries_;
  deliveries.reserve(publication.events.size());
  const Outgoing* before = nullptr;
  for (Outgoing& outgoing : publication.events) {
    const bool follows = before != nullptr && before->goes_on;
    if (follows) {
      outgoing.id = before->id;
    } else if (outgoing.message.valid()) {
      outgoing.id = outgoing.message.value();
    } else if (outgoing.id == 0) {
      outgoing.id = ids_.next();
    }
    // Adjacent events of one message, for single recipients, have the same data and so share one frame.
    const bool same =
        before != nullptr && outgoing.message.valid() && before->message == outgoing.message &&
        before->target.kind == outgoing.target.kind && &before->data == &outgoing.data &&
        (outgoing.target.kind != event::TargetKind::kChannel || before->target.names == outgoing.target.names);
    event::FrameRef frame = follows ? frame_for(deliveries.back().frame, outgoing.target.kind)
                            : same  ? deliveries.back().frame
                                    : encode(outgoing, outgoing.goes_on);
    deliveries.push_back({outgoing.target, outgoing.event, std::move(frame), {}, outgoing.again});
    deliveries.back().in_union = follows || outgoing.goes_on;
    deliveries.back().except = outgoing.except;
    deliveries.back().trace = outgoing.trace;
    before = &outgoing;
  }
}

void Publisher::hand_over(const std::shared_ptr<Publication>& publication) {
  std::vector<hub::Hub::Delivery> deliveries = std::move(publication->deliveries_);
  if (remote_nodes_ != nullptr) {
    hand_over_in_cluster(publication, std::move(deliveries));
  } else if (resumable_) {
    const MutexLock lock(order_);
    assign_positions(publication->events, deliveries);
    deliver_here(publication, std::move(deliveries));
  } else {
    deliver_here(publication, std::move(deliveries));
  }
}

void Publisher::hand_over_in_cluster(const std::shared_ptr<Publication>& publication,
                                     std::vector<hub::Hub::Delivery> deliveries) {
  const std::vector<Outgoing>& events = publication->events;
  std::vector<hub::Hub::Delivery> away;
  away.reserve(deliveries.size());
  for (std::size_t i = 0; i < deliveries.size(); ++i) {
    if (!events[i].local) away.push_back(deliveries[i]);
  }
  // The other nodes first, because they take longer.
  std::unique_ptr<RemoteNodes::Sent> sent;
  if (!away.empty()) {
    publication->parts_.fetch_add(1);
    sent = remote_nodes_->send(service_, away);
  }
  const bool here = std::any_of(events.begin(), events.end(), [this](const Outgoing& outgoing) {
    return outgoing.local || remote_nodes_->may_have_local_streams(service_, outgoing.target);
  });
  if (here) {
    deliver_here(publication, std::move(deliveries));
  } else {
    publication->here_.reserve(events.size());
    for (const Outgoing& outgoing : events)
      publication->here_.emplace_back(std::max<std::size_t>(outgoing.target.names.size(), 1));
    publication->part_done();
  }
  if (!sent) return;
  remote_sends_.fetch_add(1);
  sent->then([this, publication](const std::vector<std::uint32_t>& taken, std::vector<std::string> missing) {
    remote_sends_.fetch_sub(1);
    publication->away_ = taken;
    publication->missing_ = std::move(missing);
    publication->part_done();
  });
}

void Publisher::deliver_here(const std::shared_ptr<Publication>& publication,
                             std::vector<hub::Hub::Delivery> deliveries) {
  hub_.start_delivery(std::move(deliveries), [publication](std::vector<std::vector<std::uint32_t>> taken) {
    publication->here_ = std::move(taken);
    publication->part_done();
  });
}

// With a history: an event that newer ones have overtaken gets a position behind them.
void Publisher::assign_positions(std::vector<Outgoing>& events, std::vector<hub::Hub::Delivery>& deliveries) {
  const SteadyTime now = ids_.clock().steady_now();
  for (std::size_t i = 0; i < events.size(); ++i) {
    Outgoing& outgoing = events[i];
    hub::Hub::Delivery& delivery = deliveries[i];
    if (i > 0 && events[i - 1].goes_on) {
      outgoing.id = events[i - 1].id;
      delivery.position = deliveries[i - 1].position;
      delivery.frame = frame_for(deliveries[i - 1].frame, outgoing.target.kind);
      continue;
    }
    if (outgoing.id > last_ && !outgoing.again) {
      delivery.position = MessageId(outgoing.id);
    } else {
      // Another sender has published a greater id already.
      delivery.position = MessageId(ids_.next());
      if (outgoing.message.valid()) {
        delivery.frame = hub::with_cursor(*delivery.frame, delivery.position);
      } else {
        outgoing.id = delivery.position.value();
        delivery.frame = encode(outgoing, outgoing.goes_on);
      }
    }
    last_ = delivery.position.value();
    if (outgoing.again) continue;
    History::Audience audience{{}, outgoing.except};
    for (std::size_t n = i; events[n].goes_on; ++n) audience.also.push_back(&events[n + 1].target);
    history_.keep(outgoing.target, outgoing.event, delivery.position, delivery.frame, now, audience);
  }
}

void Publication::part_done() {
  if (parts_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (!away_.empty()) {
    std::size_t next = 0;
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (events[i].local) continue;
      for (std::uint32_t& count : here_.at(i)) count += away_.at(next++);
    }
  }
  published(std::move(here_), std::move(missing_));
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
  client.tenant = request.identity.tenant.str();
  if (!client.last_event_id.empty()) {
    client.client = request.attributes.parameter(hub::kClientId);
    client.instance = request.attributes.parameter(hub::kClientInstanceId);
  }
  const auto join = [&client](event::TargetKind kind, const std::string& name) {
    if (!name.empty()) client.topics.emplace_back(kind, name);
  };
  join(event::TargetKind::kUser, request.identity.user.str());
  join(event::TargetKind::kToken, request.identity.token.str());
  join(event::TargetKind::kTenant, request.identity.tenant.str());
  for (const hub::JoinedChannel& channel : request.channels) join(event::TargetKind::kChannel, channel.name.str());
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
      const std::size_t limit = round < kMaxRounds ? History::kAtOnce : SIZE_MAX;
      if (history_.collect(client, so_far, ids_.clock().steady_now(), limit)) {
        last_ = client.connection.value();
        return hub_.connect(std::move(request), history_.finish(client, std::move(so_far)));
      }
    }
    std::this_thread::yield();
  }
}

ChannelHistoryPage Publisher::read_channel(const hub::ChannelCatchUp& wanted, std::size_t limit) {
  ChannelHistoryPage page;
  page.through = wanted.until;
  if (wanted.begun && wanted.after >= wanted.until) return page;
  History::Client client;
  client.last_event_id = std::to_string(std::max<std::uint64_t>(wanted.after.value(), 1));
  client.topics.emplace_back(event::TargetKind::kChannel, wanted.channel);
  client.tenant = wanted.tenant;
  client.client = wanted.client;
  client.instance = wanted.instance;
  History::Resuming found;
  found.unknown = !resumable_ && !wanted.begun;
  if (resumable_) {
    const MutexLock lock(order_);
    // An id of now: a later position is none of this server.
    client.connection = ConnectionId(ids_.next());
    page.last = history_.collect(client, found, ids_.clock().steady_now(), limit);
  }
  // Also those that are not for this stream.
  MessageId through(found.through);
  std::uint64_t bytes = 0;
  for (hub::RetainedEvent& event : found.missed) {
    // It arrives live, as all that follow.
    if (event.position > wanted.until) break;
    if (bytes >= kMaxPageBytes) {
      through = page.events.back().position;
      page.last = false;
      break;
    }
    bytes += event.frame->size();
    page.events.push_back(std::move(event));
  }
  page.last = page.last || through >= wanted.until;
  if (!page.last) page.through = through;
  // A client that asks from the beginning has no events that a gap could follow.
  const bool from_the_beginning = wanted.after.value() == 0 && resumable_;
  if ((found.unknown || found.lost > 0) && !from_the_beginning) {
    resyncs_.add();
    page.gap = event::Frame::make(
        History::resync_event(wanted.after.str(), "", found.oldest == 0 ? std::nullopt : std::optional(found.oldest),
                              found.unknown ? std::nullopt : std::optional(found.lost)),
        {}, event::TargetKind::kChannel, wanted.channel);
  }
  resumed_events_.add(page.events.size());
  return page;
}

void Publisher::expire() {
  const MutexLock lock(order_);
  history_.expire(ids_.clock().steady_now());
}

}  // namespace sse::delivery
