// Senders that wait until what they sent is confirmed.
#include <algorithm>
#include <future>
#include <iterator>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "delivery/sender.h"
#include "event/event.h"

namespace sse::delivery {

namespace {

// For confirmations that other nodes hear of, where the store does not tell of them; and where it does, to be sure.
constexpr std::chrono::milliseconds kLookForConfirmations{100};
constexpr std::chrono::milliseconds kLookToBeSure{60'000};
// Recipients a store is asked about in one go: others have their turn in between.
constexpr std::size_t kAskedAtOnce = 256;
// Each holds a connection or a command of another node, and some kilobytes; a recipient, some 100 bytes and its name a
// few times.
constexpr std::size_t kMaxWaiting = 10'000;
constexpr std::size_t kMaxAwaited = 500'000;

}  // namespace

SendResult Sender::send_and_wait(const SendRequest& request, std::chrono::milliseconds patience) {
  const auto told = std::make_shared<std::promise<SendResult>>();
  std::future<SendResult> result = told->get_future();
  send_then_wait(request, patience, [told](const SendResult& sent) { told->set_value(sent); });
  return result.get();
}

// One who waits.
struct Sender::Awaited {
  Awaited(Sender& sender, SendRequest what, MessageId message)
      : awaited(sender.awaited_), request(std::move(what)), wait(sender.waits_, message) {
    awaited.fetch_add(request.target.names.size());
  }
  ~Awaited() { awaited.fetch_sub(request.target.names.size()); }
  Awaited(const Awaited&) = delete;
  Awaited& operator=(const Awaited&) = delete;

  std::atomic<std::size_t>& awaited;
  const SendRequest request;  // without its data
  Waits::Wait wait;
  std::vector<Recipient> recipients;  // who have it pending
  SendResult result;
  std::function<void(const SendResult&)> done;
};

void Sender::send_then_wait(const SendRequest& request, std::chrono::milliseconds patience,
                            std::function<void(const SendResult&)> done) {
  const SteadyTime started = clock_.steady_now();
  const bool many = waiting_sends_.size() >= kMaxWaiting;
  if (many || awaited_.load() + request.target.names.size() > kMaxAwaited) {
    throw Error(ErrorCode::kUnavailable,
                (many ? std::to_string(kMaxWaiting) + " senders wait for confirmations here already"
                      : "senders wait for the confirmations of " + std::to_string(awaited_.load()) +
                            " recipients here already, and " + std::to_string(kMaxAwaited) + " is the most") +
                    ", and this was not sent; try again later, or send without waiting");
  }
  waits_.start();
  waiting_sends_.start();
  std::vector<SendOutcome> outcomes(1);
  event::validate({request.event, request.data, "", std::nullopt});
  std::vector<SendRequest> kept{request};
  kept.front().awaited = true;
  DeliveryOrder::Place place = keep(kept, outcomes);
  if (const auto& refusal = outcomes.front().refusal) throw Error(refusal->code, refusal->sentence);
  SendRequest without_data{request.target, request.event, "", request.qos, request.ttl};
  // Before the delivery, which may be confirmed before it returns.
  const auto awaited = std::make_shared<Awaited>(*this, std::move(without_data), MessageId(outcomes.front().result.id));
  awaited->done = std::move(done);
  awaited->result =
      std::move(deliver(std::move(kept), std::move(outcomes), started, std::move(place)).finish().front().result);
  SendResult& result = awaited->result;
  if (result.repeated) {
    for (const std::string& name :
         request.target.kind == event::TargetKind::kAll ? std::vector<std::string>{""} : request.target.names) {
      result.recipients.push_back({request.target.kind, name, 0});
      awaited->recipients.push_back({request.target.kind, name});
    }
    const Recipients pending =
        result.pending > 0 ? pending_of(awaited->recipients, MessageId(result.id)) : Recipients();
    std::erase_if(awaited->recipients, [&](const Recipient& who) { return !pending.contains(who); });
  } else {
    for (const SendResult::Recipient& r : result.recipients) awaited->recipients.push_back({r.kind, r.name});
  }
  // What has expired is confirmed by nobody.
  const std::chrono::milliseconds ttl = request.ttl.count() != 0 ? request.ttl : options_.ttl;
  // Where other nodes share the store it may be one of them who hears of the confirmation.
  const std::chrono::milliseconds period = !repository_.shared()         ? std::chrono::milliseconds(0)
                                           : repository_.tells_settled() ? kLookToBeSure
                                                                         : kLookForConfirmations;
  waiting_sends_.add(MessageId(result.id), started + std::min(patience, ttl), period,
                     [this, awaited](bool over) { return look(*awaited, over); });
}

bool Sender::look(Awaited& awaited, bool over) {
  const std::vector<Recipient> confirmed = awaited.wait.until(awaited.recipients, SteadyTime::min());
  if (!over) {
    const Recipients had(confirmed.begin(), confirmed.end());
    std::vector<Recipient> open;
    std::ranges::copy_if(awaited.recipients, std::back_inserter(open),
                         [&](const Recipient& who) { return !had.contains(who); });
    const bool all = open.empty() || (repository_.shared() && pending_of(open, MessageId(awaited.result.id)).empty());
    if (!all) return false;
  }
  tell_states(awaited.request, confirmed, awaited.result);
  awaited.done(awaited.result);
  return true;
}

// Few looks at the store: a message that several have pending is returned for all of them, whatever the limit. What
// was sent here is kept here: other nodes, of which one may be frozen, are not asked. What cannot be read is taken for
// pending: that is what was known last.
Sender::Recipients Sender::pending_of(const std::vector<Recipient>& recipients, MessageId id) {
  Recipients pending;
  for (std::size_t begin = 0; begin < recipients.size(); begin += kAskedAtOnce) {
    const std::span part = std::span(recipients).subspan(begin, std::min(kAskedAtOnce, recipients.size() - begin));
    try {
      for (PendingMessage& row :
           repository_.own().pending(service(), part, MessageId(id.value() - 1), 1, ByteCount(1), WallTime::min())) {
        if (row.id == id) pending.insert(std::move(row.recipient));
      }
    } catch (const Error& e) {
      note_unread(e.what());
      pending.insert(part.begin(), part.end());
    }
  }
  return pending;
}

void Sender::tell_states(const SendRequest& request, const std::vector<Recipient>& confirmed, SendResult& result) {
  const MessageId id(result.id);
  Recipients told(confirmed.begin(), confirmed.end());
  std::unordered_map<Recipient, const char*, RecipientHash> withdrawn;
  for (const Trace::Entry& e : trace_.of(id)) {
    if (e.what == Trace::What::kConfirmed) told.insert({e.kind, e.name});
    if (e.what == Trace::What::kDeleted || e.what == Trace::What::kCollapsed)
      withdrawn.emplace(Recipient{e.kind, e.name}, "deleted");
    if (e.what == Trace::What::kExpired) withdrawn.emplace(Recipient{e.kind, e.name}, "expired");
  }
  std::vector<Recipient> untold;
  for (const SendResult::Recipient& recipient : result.recipients) {
    if (Recipient who{recipient.kind, recipient.name}; !told.contains(who)) untold.push_back(std::move(who));
  }
  const Recipients pending = pending_of(untold, id);
  std::vector<hub::Whereabouts> open;
  std::vector<std::size_t> indexes;
  for (std::size_t i = 0; i < result.recipients.size(); ++i) {
    SendResult::Recipient& recipient = result.recipients[i];
    const Recipient who{recipient.kind, recipient.name};
    if (pending.contains(who)) {
      open.push_back({who.kind, who.name, id, request.event, request.target.listening});
      indexes.push_back(i);
      continue;
    }
    // It may have been settled so long ago, or by another node, that nothing is known of it but that it is not pending.
    if (const auto gone = withdrawn.find(who); gone != withdrawn.end() && !told.contains(who)) {
      recipient.state = gone->second;
    } else {
      recipient.state = told.contains(who) || result.repeated || repository_.shared() ? "confirmed" : "deleted";
    }
  }
  locate_everywhere(open, result.missing);
  const std::chrono::milliseconds ttl = request.ttl.count() != 0 ? request.ttl : options_.ttl;
  const bool expired = IdGenerator::time_of(id.value()) + ttl <= clock_.wall_now();
  for (std::size_t n = 0; n < open.size(); ++n)
    result.recipients[indexes[n]].state = expired ? "expired" : state_name(open[n]);
}

}  // namespace sse::delivery
