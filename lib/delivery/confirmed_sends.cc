#include "delivery/confirmed_sends.h"

#include <algorithm>
#include <future>
#include <iterator>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "hub/delivery_batch.h"

namespace sse::delivery {

namespace {

// How often to check for confirmations on other nodes: when the store does not notify of them, and, as a safeguard,
// when it does.
constexpr std::chrono::milliseconds kConfirmationPollInterval{100};
constexpr std::chrono::milliseconds kSafetyPollInterval{60'000};
// Recipients per query of the store, so that other queries are not delayed.
constexpr std::size_t kAskedAtOnce = 256;
// Each waiting sender holds a connection or a command of another node, and a few kilobytes; each awaited recipient
// about 100 bytes and a few copies of its name.
constexpr std::size_t kMaxWaiting = 10'000;
constexpr std::size_t kMaxAwaited = 500'000;

}  // namespace

ConfirmedSends::ConfirmedSends(ServiceName service, SendPath& path, store::MessageRepository& repository, Trace& trace,
                               DeliveryStates& delivery_states, ReadFailureLog& read_failures, const Clock& clock)
    : service_(std::move(service)),
      path_(path),
      shared_store_(store::ability<store::SharedStore>(repository)),
      own_store_(shared_store_ != nullptr ? shared_store_->local() : repository),
      trace_(trace),
      delivery_states_(delivery_states),
      read_failures_(read_failures),
      clock_(clock),
      waiting_sends_(clock),
      confirmation_waiter_(clock) {
  confirmation_waiter_.report([this](MessageId message) { waiting_sends_.confirmed(message); });
}

SendResult ConfirmedSends::send_and_wait(const SendRequest& request, std::chrono::milliseconds timeout) {
  const auto reported = std::make_shared<std::promise<SendResult>>();
  std::future<SendResult> result = reported->get_future();
  send_then_wait(request, timeout, [reported](const SendResult& sent) { reported->set_value(sent); });
  return result.get();
}

namespace {

std::size_t count_names(const SendRequest& request) {
  std::size_t count = request.target.names.size();
  for (const event::Target& target : request.also) count += target.names.size();
  return count;
}

}  // namespace

// A sender that waits.
struct ConfirmedSends::Awaited {
  Awaited(ConfirmedSends& sends, SendRequest what, MessageId message)
      : awaited(sends.awaited_), request(std::move(what)), wait(sends.confirmation_waiter_, message) {
    awaited.fetch_add(count_names(request));
  }
  ~Awaited() { awaited.fetch_sub(count_names(request)); }
  Awaited(const Awaited&) = delete;
  Awaited& operator=(const Awaited&) = delete;

  std::atomic<std::size_t>& awaited;
  const SendRequest request;  // without its data
  ConfirmationWaiter::Wait wait;
  std::vector<store::Recipient> recipients;  // with the message pending
  SendResult result;
  std::function<void(const SendResult&)> done;
};

void ConfirmedSends::require_room(std::size_t recipients) const {
  const bool many = waiting_sends_.size() >= kMaxWaiting;
  if (!many && awaited_.load() + recipients <= kMaxAwaited) return;
  throw Error(ErrorCode::kUnavailable,
              (many ? std::to_string(kMaxWaiting) + " senders wait for confirmations on this node already"
                    : "senders wait for the confirmations of " + std::to_string(awaited_.load()) +
                          " recipients on this node already (at most " + std::to_string(kMaxAwaited) + ")") +
                  "; the message was not sent: try again later, or send without waiting");
}

void ConfirmedSends::send_then_wait(const SendRequest& request, std::chrono::milliseconds timeout,
                                    std::function<void(const SendResult&)> done) {
  const SteadyTime started = clock_.steady_now();
  require_room(count_names(request));
  confirmation_waiter_.start();
  waiting_sends_.start();
  std::vector<SendRequest> requests{request};
  requests.front().awaited = true;
  std::shared_ptr<Awaited> awaited;
  SendPath::Sending sending = path_.start_all(std::move(requests), [&](const std::vector<SendOutcome>& outcomes) {
    if (outcomes.front().refusal) return;
    // Created before the delivery, because recipients may confirm at once.
    SendRequest without_data{request.target, request.event, "", request.qos, request.ttl};
    without_data.also = request.also;
    awaited = std::make_shared<Awaited>(*this, std::move(without_data), MessageId(outcomes.front().result.id));
  });
  SendOutcome outcome = std::move(sending.finish().front());
  if (outcome.refusal) throw Error(outcome.refusal->code, outcome.refusal->sentence);
  awaited->done = std::move(done);
  awaited->result = std::move(outcome.result);
  set_recipients(*awaited);
  // The wait ends with the ttl, because an expired message is never confirmed.
  waiting_sends_.add(MessageId(awaited->result.id), started + std::min(timeout, path_.ttl_of(request)), poll_interval(),
                     [this, awaited](bool over) { return check(*awaited, over); });
}

void ConfirmedSends::set_recipients(Awaited& awaited) {
  SendResult& result = awaited.result;
  if (!result.repeated) {
    for (const SendResult::Recipient& r : result.recipients) awaited.recipients.push_back({r.kind, r.name});
    return;
  }
  const auto add = [&](const event::Target& target) {
    for (const std::string& name : hub::names_of(target)) {
      result.recipients.push_back({target.kind, name, 0});
      awaited.recipients.push_back({target.kind, name});
    }
  };
  add(awaited.request.target);
  for (const event::Target& target : awaited.request.also) add(target);
  const Recipients pending = result.pending > 0 ? pending_of(awaited.recipients, MessageId(result.id)) : Recipients();
  std::erase_if(awaited.recipients, [&](const store::Recipient& key) { return !pending.contains(key); });
}

std::chrono::milliseconds ConfirmedSends::poll_interval() const {
  if (shared_store_ == nullptr) return std::chrono::milliseconds(0);
  return shared_store_->reports_settled() ? kSafetyPollInterval : kConfirmationPollInterval;
}

bool ConfirmedSends::check(Awaited& awaited, bool over) {
  const std::vector<store::Recipient> confirmed = awaited.wait.until(awaited.recipients, SteadyTime::min());
  if (!over) {
    const Recipients had(confirmed.begin(), confirmed.end());
    std::vector<store::Recipient> open;
    std::ranges::copy_if(awaited.recipients, std::back_inserter(open),
                         [&](const store::Recipient& key) { return !had.contains(key); });
    const bool all =
        open.empty() || (shared_store_ != nullptr && pending_of(open, MessageId(awaited.result.id)).empty());
    if (!all) return false;
  }
  report_states(awaited.request, confirmed, awaited.result);
  awaited.done(awaited.result);
  return true;
}

// Needs few reads: the store returns a message pending for several recipients for all of them, whatever the limit. A
// message sent by this node is in its own store, so no other node, which may be frozen, is queried. Recipients that
// cannot be read count as pending, which is the last known state.
ConfirmedSends::Recipients ConfirmedSends::pending_of(const std::vector<store::Recipient>& recipients, MessageId id) {
  Recipients pending;
  for (std::size_t begin = 0; begin < recipients.size(); begin += kAskedAtOnce) {
    const std::span part = std::span(recipients).subspan(begin, std::min(kAskedAtOnce, recipients.size() - begin));
    try {
      for (store::PendingMessage& row :
           own_store_.pending(service_, part, MessageId(id.value() - 1), 1, ByteCount(1), WallTime::min())) {
        if (row.id == id) pending.insert(std::move(row.recipient));
      }
    } catch (const Error& e) {
      read_failures_.report(e.what());
      pending.insert(part.begin(), part.end());
    }
  }
  return pending;
}

void ConfirmedSends::report_states(const SendRequest& request, const std::vector<store::Recipient>& confirmed,
                                   SendResult& result) {
  const MessageId id(result.id);
  Recipients reported(confirmed.begin(), confirmed.end());
  std::unordered_map<store::Recipient, const char*, store::RecipientHash> withdrawn;
  for (const Trace::Entry& e : trace_.of(id)) {
    if (e.what == Trace::Step::kConfirmed) reported.insert({e.kind, e.name});
    if (e.what == Trace::Step::kDeleted || e.what == Trace::Step::kCollapsed)
      withdrawn.emplace(store::Recipient{e.kind, e.name}, "deleted");
    if (e.what == Trace::Step::kExpired) withdrawn.emplace(store::Recipient{e.kind, e.name}, "expired");
  }
  std::vector<store::Recipient> unreported;
  for (const SendResult::Recipient& recipient : result.recipients) {
    if (store::Recipient key{recipient.kind, recipient.name}; !reported.contains(key))
      unreported.push_back(std::move(key));
  }
  const Recipients pending = pending_of(unreported, id);
  std::vector<hub::DeliveryState> open;
  std::vector<std::size_t> indexes;
  for (std::size_t i = 0; i < result.recipients.size(); ++i) {
    SendResult::Recipient& recipient = result.recipients[i];
    const store::Recipient key{recipient.kind, recipient.name};
    if (pending.contains(key)) {
      open.push_back({key.kind, key.name, id, request.event, request.target.listening});
      indexes.push_back(i);
      continue;
    }
    // Of a message settled long ago, or by another node, it may only be known that it is no longer pending.
    if (const auto gone = withdrawn.find(key); gone != withdrawn.end() && !reported.contains(key)) {
      recipient.state = gone->second;
    } else {
      recipient.state = reported.contains(key) || result.repeated || shared_store_ != nullptr ? "confirmed" : "deleted";
    }
  }
  delivery_states_.find(open, result.missing);
  const std::chrono::milliseconds ttl = path_.ttl_of(request);
  const bool expired = IdGenerator::time_of(id.value()) + ttl <= clock_.wall_now();
  for (std::size_t n = 0; n < open.size(); ++n)
    result.recipients[indexes[n]].state = expired ? "expired" : state_name(open[n]);
}

}  // namespace sse::delivery
