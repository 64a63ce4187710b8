// Sender: stored messages. Stores them, sends them again and finds their delivery states.
#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "delivery/sender.h"
#include "delivery/sender_parts.h"

namespace sse::delivery {

store::NewMessage Sender::message_of(SendRequest request) const {
  const WallTime now = clock_.wall_now();
  return {service(),
          std::move(request.target),
          std::move(request.event),
          std::move(request.data),
          now,
          now + (request.ttl.count() != 0 ? request.ttl : options_.ttl),
          std::move(request.key),
          std::move(request.collapse),
          request.original,
          MessageId(),
          request.awaited};
}

DeliveryOrder::Place Sender::store_messages(const std::vector<SendRequest>& requests,
                                            std::vector<SendOutcome>& outcomes) {
  std::vector<store::NewMessage> messages;
  std::vector<std::size_t> indexes;
  std::vector<std::vector<std::size_t>> before;  // requests without qos before each message
  std::vector<std::size_t> plain;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const SendRequest& request = requests[i];
    if (outcomes[i].refusal) continue;
    if (!request.qos) {
      plain.push_back(i);
      continue;
    }
    messages.push_back(message_of(request));
    messages.back().ids_before = static_cast<std::uint32_t>(plain.size());
    before.push_back(std::exchange(plain, {}));
    indexes.push_back(i);
  }
  DeliveryOrder::Place place;
  if (messages.empty()) return place;
  messages.back().ids_behind = static_cast<std::uint32_t>(plain.size());
  const SteadyTime begin = clock_.steady_now();
  std::vector<store::AddOutcome> kept =
      repository_.add_in_order(messages, [this, &place] { place = publisher_.order().take(); });
  commit_seconds_.observe(seconds_since(begin, clock_));
  // Ids are in the order of the requests, with and without qos.
  const auto give = [&](const std::vector<MessageId>& ids, const std::vector<std::size_t>& to) {
    for (std::size_t i = 0; i < std::min(ids.size(), to.size()); ++i) outcomes[to[i]].result.id = ids[i].value();
  };
  for (std::size_t k = 0; k < kept.size(); ++k) {
    give(kept[k].before, before[k]);
    give(kept[k].behind, plain);
    note_stored(std::move(kept[k]), messages[k].created, outcomes[indexes[k]]);
  }
  return place;
}

void Sender::note_stored(store::AddOutcome&& kept, WallTime created, SendOutcome& outcome) {
  outcome.result.id = kept.id.value();
  outcome.result.pending = kept.pending;
  outcome.result.repeated = kept.repeated;
  outcome.refusal = std::move(kept.refusal);
  if (outcome.refusal) {
    refused_.add();
    return;
  }
  if (kept.repeated) {
    repeated_.add();
    trace_.add(kept.id, Trace::Step::kRepeated, clock_.wall_now());
  } else {
    trace_.add(kept.id, Trace::Step::kAccepted, created);
    trace_.add(kept.id, Trace::Step::kCommitted, clock_.wall_now());
  }
}

std::uint64_t Sender::retry(const std::vector<store::PendingMessage>& rows) {
  for (const store::PendingMessage& row : rows) {
    if (row.service != service() || row.damaged) continue;
    retried_.add();
    trace_.add({clock_.wall_now(), row.id, Trace::Step::kRetried, row.recipient.kind, row.recipient.name, {}});
  }
  return publish_stored(rows, true);
}

std::uint64_t Sender::send_requeued(const std::vector<store::PendingMessage>& rows) {
  for (const store::PendingMessage& row : rows) {
    if (row.service != service()) continue;
    trace_.add(row.id, Trace::Step::kAccepted, row.created);
    trace_.add(row.id, Trace::Step::kCommitted, clock_.wall_now());
  }
  return publish_stored(rows, false);
}

// Sends stored messages like new ones: through the publisher, in the delivery order, and to other nodes, too.
std::uint64_t Sender::publish_stored(const std::vector<store::PendingMessage>& rows, bool again) {
  std::vector<event::Target> targets;
  std::vector<Outgoing> outgoing;
  targets.reserve(rows.size());
  for (const store::PendingMessage& row : rows) {
    if (row.service != service() || row.damaged) continue;
    event::Target& target = targets.emplace_back(event::Target{row.recipient.kind, {}, row.listening});
    if (target.kind != event::TargetKind::kAll) target.names.push_back(row.recipient.name);
    outgoing.push_back({target, row.event, row.data, row.id, 0, false, again});
  }
  std::vector<std::string> missing;
  std::uint64_t taken = 0;
  for (const std::vector<std::uint32_t>& names : publisher_.start(outgoing).finish(missing))
    taken = std::accumulate(names.begin(), names.end(), taken);
  return taken;
}

// Withdrawn messages are no longer sent to resuming clients.
void Sender::withdrawn(const std::vector<store::Withdrawn>& gone) {
  publisher_.withdraw(gone);
  const WallTime now = clock_.wall_now();
  for (const store::Withdrawn& one : gone) {
    Trace::Step what = Trace::Step::kExpired;
    if (one.why == store::Withdrawn::Why::kReplaced) {
      what = Trace::Step::kCollapsed;
      collapsed_.add();
    } else if (one.why == store::Withdrawn::Why::kDeleted) {
      what = Trace::Step::kDeleted;
      deleted_.add();
    }
    trace_.add({now, one.id, what, one.recipient.kind, one.recipient.name, {}});
    // Waiting senders check again, because this recipient will not confirm.
    if (repository_.shared()) waiting_sends_.confirmed(one.id);
  }
}

std::vector<hub::DeliveryState> Sender::find_delivery_states(const std::vector<store::PendingMessage>& rows,
                                                             std::vector<std::string>& missing) {
  std::vector<hub::DeliveryState> places;
  places.reserve(rows.size());
  for (const store::PendingMessage& row : rows)
    places.push_back({row.recipient.kind, row.recipient.name, row.id, row.event, row.listening});
  find_delivery_states_in_cluster(places, missing);
  return places;
}

void Sender::find_delivery_states_in_cluster(std::vector<hub::DeliveryState>& messages,
                                             std::vector<std::string>& missing) {
  hub_.find_delivery_states(messages);
  if (options_.remote_nodes == nullptr || messages.empty()) return;
  for (std::string& node : options_.remote_nodes->find_delivery_states(service(), messages)) {
    if (std::ranges::find(missing, node) == missing.end()) missing.push_back(std::move(node));
  }
}

}  // namespace sse::delivery
