// What a sender does with messages that are kept: stores them, gives them out again, says where they are.
#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "delivery/sender.h"
#include "delivery/sender_parts.h"

namespace sse::delivery {

NewMessage Sender::message_of(SendRequest request) const {
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

DeliveryOrder::Place Sender::keep(const std::vector<SendRequest>& requests, std::vector<SendOutcome>& outcomes) {
  std::vector<NewMessage> messages;
  std::vector<std::size_t> indexes;
  std::vector<std::vector<std::size_t>> before;  // those not kept between two that are; the last: behind all
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
  std::vector<AddOutcome> kept =
      repository_.add_in_order(messages, [this, &place] { place = publisher_.order().take(); });
  commit_seconds_.observe(seconds_since(begin, clock_));
  // Ids are in the order of the requests, whichever are kept.
  const auto give = [&](const std::vector<MessageId>& ids, const std::vector<std::size_t>& to) {
    for (std::size_t i = 0; i < std::min(ids.size(), to.size()); ++i) outcomes[to[i]].result.id = ids[i].value();
  };
  for (std::size_t k = 0; k < kept.size(); ++k) {
    give(kept[k].before, before[k]);
    give(kept[k].behind, plain);
    note_kept(std::move(kept[k]), messages[k].created, outcomes[indexes[k]]);
  }
  return place;
}

void Sender::note_kept(AddOutcome&& kept, WallTime created, SendOutcome& outcome) {
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
    trace_.add(kept.id, Trace::What::kRepeated, clock_.wall_now());
  } else {
    trace_.add(kept.id, Trace::What::kAccepted, created);
    trace_.add(kept.id, Trace::What::kCommitted, clock_.wall_now());
  }
}

std::uint64_t Sender::retry(const std::vector<PendingMessage>& rows) {
  for (const PendingMessage& row : rows) {
    if (row.service != service() || row.damaged) continue;
    retried_.add();
    trace_.add({clock_.wall_now(), row.id, Trace::What::kRetried, row.recipient.kind, row.recipient.name, {}});
  }
  return give_out(rows, true);
}

std::uint64_t Sender::send_requeued(const std::vector<PendingMessage>& rows) {
  for (const PendingMessage& row : rows) {
    if (row.service != service()) continue;
    trace_.add(row.id, Trace::What::kAccepted, row.created);
    trace_.add(row.id, Trace::What::kCommitted, clock_.wall_now());
  }
  return give_out(rows, false);
}

// The way of everything that is sent: in its place among all events, and to other nodes, too.
std::uint64_t Sender::give_out(const std::vector<PendingMessage>& rows, bool again) {
  std::vector<event::Target> targets;
  std::vector<Outgoing> outgoing;
  targets.reserve(rows.size());
  for (const PendingMessage& row : rows) {
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

// What is recalled is not given any more to clients that come back.
void Sender::withdrawn(const std::vector<Withdrawn>& gone) {
  publisher_.withdraw(gone);
  const WallTime now = clock_.wall_now();
  for (const Withdrawn& one : gone) {
    Trace::What what = Trace::What::kExpired;
    if (one.why == Withdrawn::Why::kReplaced) {
      what = Trace::What::kCollapsed;
      collapsed_.add();
    } else if (one.why == Withdrawn::Why::kDeleted) {
      what = Trace::What::kDeleted;
      deleted_.add();
    }
    trace_.add({now, one.id, what, one.recipient.kind, one.recipient.name, {}});
    // Whoever waits has nothing more to wait for.
    if (repository_.shared()) waiting_sends_.confirmed(one.id);
  }
}

std::vector<hub::Whereabouts> Sender::locate(const std::vector<PendingMessage>& rows,
                                             std::vector<std::string>& missing) {
  std::vector<hub::Whereabouts> places;
  places.reserve(rows.size());
  for (const PendingMessage& row : rows)
    places.push_back({row.recipient.kind, row.recipient.name, row.id, row.event, row.listening});
  locate_everywhere(places, missing);
  return places;
}

void Sender::locate_everywhere(std::vector<hub::Whereabouts>& messages, std::vector<std::string>& missing) {
  hub_.locate(messages);
  if (options_.elsewhere == nullptr || messages.empty()) return;
  for (std::string& node : options_.elsewhere->locate(service(), messages)) {
    if (std::ranges::find(missing, node) == missing.end()) missing.push_back(std::move(node));
  }
}

}  // namespace sse::delivery
