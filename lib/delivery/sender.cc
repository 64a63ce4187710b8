#include "delivery/sender.h"

#include <algorithm>
#include <future>
#include <iterator>
#include <numeric>
#include <span>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "event/event.h"
#include "event/frame.h"
#include "observe/barrier.h"
#include "observe/log.h"

namespace sse::delivery {
namespace {

constexpr std::size_t kPageMessages = 256;
constexpr ByteCount kPageBytes = kibibytes(256);
constexpr std::size_t kReplayThreads = 2;
constexpr std::chrono::seconds kReplayIdle{10};
// For confirmations that other nodes hear of, where the store does not tell of them; and where it does, to be sure.
constexpr std::chrono::milliseconds kLookForConfirmations{100};
constexpr std::chrono::milliseconds kLookToBeSure{60'000};
// Recipients a store is asked about in one go: others have their turn in between.
constexpr std::size_t kAskedAtOnce = 256;
constexpr std::chrono::seconds kUnreadPeriod{1};
// Each holds a connection or a command of another node, and some kilobytes; a recipient, some 100 bytes and its name a
// few times.
constexpr std::size_t kMaxWaiting = 10'000;
constexpr std::size_t kMaxAwaited = 500'000;

event::FrameRef encode(const std::string& id, const std::string& name, const std::string& data, MessageId message,
                       event::TargetKind kind) {
  event::Event event;
  event.id = id;
  event.name = name;
  event.data = data;
  return event::Frame::make(event::encode(event), message, kind);
}

double seconds_since(SteadyTime begin, const Clock& clock) {
  return std::chrono::duration<double>(clock.steady_now() - begin).count();
}

SendResult result_of(std::uint64_t id, const event::Target& target, const std::vector<std::uint32_t>& taken) {
  SendResult result;
  result.id = id;
  for (std::size_t n = 0; n < taken.size(); ++n) {
    result.recipients.push_back({target.kind, target.names.empty() ? std::string() : target.names[n], taken[n]});
    result.delivered += taken[n];
  }
  return result;
}

hub::HubOptions hub_options(const SenderOptions& options) {
  hub::HubOptions hub = options.hub;
  hub.resumable = options.history.events != 0;
  return hub;
}

}  // namespace

std::string_view state_name(const hub::Whereabouts& message) {
  using State = hub::Whereabouts::State;
  if (message.unread && message.state < State::kWaiting) return "unknown";
  switch (message.state) {
    case State::kOffline:
      return "offline";
    case State::kNotListening:
      return "not-listening";
    case State::kWaiting:
      return "waiting";
    case State::kInFlight:
      return "in-flight";
  }
  return "";
}

Sender::Sender(SenderOptions options, const std::vector<std::unique_ptr<net::EventLoop>>& loops, IdGenerator& ids,
               observe::Registry& metrics, MessageRepository& repository)
    : options_(std::move(options)),
      ids_(ids),
      clock_(ids.clock()),
      repository_(repository),
      sent_(
          metrics.counter("sse_sends_total", "Send calls accepted", {{"service", service().str()}, {"qos", "false"}})),
      sent_qos_(
          metrics.counter("sse_sends_total", "Send calls accepted", {{"service", service().str()}, {"qos", "true"}})),
      confirmed_(metrics.counter("sse_confirmed_total", "Pending messages confirmed by a recipient",
                                 {{"service", service().str()}})),
      replayed_(metrics.counter("sse_replayed_total", "Pending messages given to a stream when it opened",
                                {{"service", service().str()}})),
      repeated_(metrics.counter("sse_sends_repeated_total", "Send calls whose key was known",
                                {{"service", service().str()}})),
      refused_(metrics.counter("sse_sends_refused_total",
                               "Send calls with qos that the store refused: a limit is reached, or it cannot write",
                               {{"service", service().str()}})),
      attempted_(
          metrics.counter("sse_attempts_total", "Pending messages put into a stream", {{"service", service().str()}})),
      retried_(metrics.counter("sse_retried_total", "Pending messages that an operator sent once more",
                               {{"service", service().str()}})),
      collapsed_(metrics.counter("sse_collapsed_total",
                                 "Pending messages whose place a younger one with the same collapse key has taken",
                                 {{"service", service().str()}})),
      deleted_(metrics.counter("sse_deleted_total", "Pending messages that an operator deleted or purged")),
      waiting_sends_(clock_),
      waits_(clock_),
      attempts_(service(), options_.attempts, clock_),
      send_seconds_(metrics.histogram("sse_send_seconds", "From a send call until the streams have taken it",
                                      observe::latencies(), {{"service", service().str()}})),
      commit_seconds_(metrics.histogram("sse_commit_seconds", "Waiting until messages sent with qos are stored",
                                        observe::latencies(), {{"service", service().str()}})),
      // Every open stream waits for at most one page, so that this queue is bounded by their number.
      replayers_("sse-replay", 0, kReplayThreads, SIZE_MAX, kReplayIdle, clock_),
      hub_(hub_options(options_), loops, ids, metrics, *this),
      publisher_(options_.history, hub_, ids, metrics, service(), options_.elsewhere),
      store_counts_(repository_.count_confirmed(service(), &confirmed_)) {
  waits_.report([this](MessageId message) { waiting_sends_.confirmed(message); });
  repository_.report_withdrawn(service(), [this](const std::vector<Withdrawn>& gone) { withdrawn(gone); });
  repository_.report_settled(service(), [this](const Recipient& recipient, MessageId message) {
    if (message.valid()) {
      waits_.confirmed(recipient.kind, recipient.name, message);
    } else {
      waiting_sends_.look_again();
    }
  });
}

Sender::~Sender() {
  waiting_sends_.stop();
  repository_.report_settled(service(), {});
  repository_.report_withdrawn(service(), {});
  repository_.count_confirmed(service(), nullptr);
}

SendResult Sender::send(const SendRequest& request) {
  SendOutcome outcome = std::move(send_all({request}).front());
  if (outcome.refusal) throw Error(outcome.refusal->code, outcome.refusal->sentence);
  return std::move(outcome.result);
}

struct Sender::Sending::State {
  State(Sender& by, SteadyTime since, std::vector<SendRequest> what, std::vector<SendOutcome> so_far)
      : sender(by), begin(since), requests(std::move(what)), outcomes(std::move(so_far)) {}

  Sender& sender;
  const SteadyTime begin;
  const std::vector<SendRequest> requests;
  std::vector<SendOutcome> outcomes;
  std::vector<Outgoing> outgoing;
  std::vector<std::size_t> indexes;  // into requests, of what goes out
  // Last: waits for those who look at the rest.
  std::optional<Publisher::Underway> underway;
};

Sender::Sending::Sending(std::unique_ptr<State> state) : state_(std::move(state)) {}
Sender::Sending::Sending(Sending&&) noexcept = default;
Sender::Sending::~Sending() = default;

Sender::Sending Sender::start_all(std::vector<SendRequest> requests) {
  const SteadyTime begin = clock_.steady_now();
  std::vector<SendOutcome> outcomes(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    try {
      event::validate({requests[i].event, requests[i].data, "", std::nullopt});
    } catch (const Error& e) {
      outcomes[i].refusal = {e.code(), e.what()};
    }
  }
  DeliveryOrder::Place place = keep(requests, outcomes);
  return deliver(std::move(requests), std::move(outcomes), begin, std::move(place));
}

Sender::Sending Sender::deliver(std::vector<SendRequest> requests, std::vector<SendOutcome> outcomes, SteadyTime begin,
                                DeliveryOrder::Place place) {
  auto state = std::make_unique<Sending::State>(*this, begin, std::move(requests), std::move(outcomes));
  state->outgoing.reserve(state->requests.size());
  for (std::size_t i = 0; i < state->requests.size(); ++i) {
    const SendOutcome& outcome = state->outcomes[i];
    if (outcome.refusal || outcome.result.repeated) continue;
    const SendRequest& request = state->requests[i];
    (request.qos ? sent_qos_ : sent_).add();
    state->outgoing.push_back({request.target, request.event, request.data,
                               request.qos ? MessageId(outcome.result.id) : MessageId(), outcome.result.id,
                               request.local});
    state->indexes.push_back(i);
  }
  state->underway.emplace(publisher_.start(state->outgoing, std::move(place)));
  return Sending(std::move(state));
}

std::vector<SendOutcome> Sender::Sending::finish() {
  State& state = *state_;
  std::vector<std::string> missing;
  const auto taken = state.underway->finish(missing);
  if (!taken.empty()) state.sender.send_seconds_.observe(seconds_since(state.begin, state.sender.clock_));
  for (std::size_t d = 0; d < taken.size(); ++d) {
    const SendRequest& request = state.requests[state.indexes[d]];
    SendResult& result = state.outcomes[state.indexes[d]].result;
    const std::uint64_t pending = result.pending;
    result = result_of(state.outgoing[d].id, request.target, taken[d]);
    result.pending = pending;
    if (!request.local) result.missing = missing;
  }
  const auto& on_sent = state.sender.options_.on_sent;
  if (on_sent) on_sent(state.requests, state.outcomes);
  return std::move(state.outcomes);
}

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

void Sender::opening(const hub::Names& names, std::function<void()> go_on) {
  if (options_.elsewhere == nullptr) {
    go_on();
  } else {
    options_.elsewhere->expect(service(), names, std::move(go_on));
  }
}

void Sender::left(const hub::Names& names) {
  if (options_.elsewhere != nullptr) options_.elsewhere->gone(service(), names);
}

void Sender::client_opened(const hub::ClientKey& client, ConnectionId connection) {
  if (options_.elsewhere != nullptr) options_.elsewhere->client_opened(service(), client, connection);
}

void Sender::send_soon(SendRequest request, std::function<void(const SendResult&)> done) {
  event::validate({request.event, request.data, "", std::nullopt});
  const SteadyTime begin = clock_.steady_now();
  const std::uint64_t id = ids_.next();
  sent_.add();
  event::FrameRef frame = encode(std::to_string(id), request.event, request.data, MessageId(), request.target.kind);
  std::string event = options_.on_sent ? request.event : std::string();
  std::shared_ptr<void> open;
  if (in_cluster() && !request.local) {
    open = begin_soon();
    if (!open) return;
  }
  hand_over(
      std::move(request.target), std::move(request.event), std::move(frame), std::move(open),
      [this, id, begin, event = std::move(event), done = std::move(done)](
          const event::Target& target, const std::vector<std::uint32_t>& taken, std::vector<std::string> missing) {
        send_seconds_.observe(seconds_since(begin, clock_));
        SendResult result = result_of(id, target, taken);
        result.missing = std::move(missing);
        tell_sent(target, event, false, {result, std::nullopt});
        done(result);
      });
}

void Sender::hand_over(event::Target target, std::string event, event::FrameRef frame, std::shared_ptr<void> everywhere,
                       HandedOver done) {
  if (!everywhere) {
    hub_.deliver_soon(std::move(target), std::move(event), std::move(frame),
                      [done = std::move(done)](const event::Target& to, const std::vector<std::uint32_t>& taken) {
                        done(to, taken, {});
                      });
    return;
  }
  // Until this node and the others have said what they took.
  struct Together {
    Together(HandedOver then, event::Target to, std::shared_ptr<void> until)
        : done(std::move(then)),
          target(std::move(to)),
          open(std::move(until)),
          here(std::max<std::size_t>(target.names.size(), 1)),
          away(here.size()) {}

    const HandedOver done;
    const event::Target target;
    const std::shared_ptr<void> open;
    std::vector<std::uint32_t> here, away;
    std::vector<std::string> missing;
    std::atomic<int> left{2};

    void part_is_there() {
      if (left.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
      for (std::size_t n = 0; n < here.size(); ++n) here[n] += away.at(n);
      done(target, here, std::move(missing));
    }
  };
  away_.fetch_add(1);
  const auto together = std::make_shared<Together>(std::move(done), target, std::move(everywhere));
  // To the other nodes first: theirs is the longer way.
  const auto sent = options_.elsewhere->send(service(), {{together->target, event, frame, {}}});
  if (options_.elsewhere->may_be_here(service(), together->target)) {
    hub_.deliver_soon(std::move(target), std::move(event), std::move(frame),
                      [together](const event::Target&, const std::vector<std::uint32_t>& taken) {
                        together->here = taken;
                        together->part_is_there();
                      });
  } else {
    together->part_is_there();
  }
  sent->then([this, together](const std::vector<std::uint32_t>& taken, std::vector<std::string> missing) {
    away_.fetch_sub(1);
    together->away = taken;
    together->missing = std::move(missing);
    together->part_is_there();
  });
}

// Lives as long as somebody else has something to call back for; null when it is too late for that.
std::shared_ptr<void> Sender::begin_soon() {
  const MutexLock lock(soon_mutex_);
  if (stopping_) return nullptr;
  ++soon_;
  return {this, [](Sender* sender) {
            const MutexLock in_time(sender->soon_mutex_);
            if (--sender->soon_ == 0) sender->soon_changed_.notify_all();
          }};
}

void Sender::keep_soon(SendRequest request, std::function<void(const SendOutcome&)> done) {
  const SteadyTime begin = clock_.steady_now();
  std::shared_ptr<void> open = begin_soon();
  if (!open) return;
  const auto shared = std::make_shared<std::function<void(const SendOutcome&)>>(std::move(done));
  repository_.add_soon(message_of(std::move(request)),
                       [this, begin, shared, open = std::move(open)](NewMessage&& given, AddOutcome&& kept) {
                         kept_soon(std::move(given), std::move(kept), begin, open, shared);
                       });
}

void Sender::kept_soon(NewMessage&& message, AddOutcome&& kept, SteadyTime begin, const std::shared_ptr<void>& open,
                       const std::shared_ptr<std::function<void(const SendOutcome&)>>& done) {
  // Others that were committed before may not be ready yet.
  DeliveryOrder::Place place = publisher_.order().take();
  commit_seconds_.observe(seconds_since(begin, clock_));
  SendOutcome outcome;
  note_kept(std::move(kept), message.created, outcome);
  if (outcome.refusal || outcome.result.repeated) {
    tell_sent(std::move(message.target), std::move(message.event), true, outcome);
    (*done)(outcome);
    return;
  }
  sent_qos_.add();
  const MessageId id(outcome.result.id);
  event::FrameRef frame = encode(id.str(), message.event, message.data, id, message.target.kind);
  std::string event = options_.on_sent ? message.event : std::string();
  HandedOver then = [this, begin, done, event = std::move(event), pending = outcome.result.pending, id](
                        const event::Target& target, const std::vector<std::uint32_t>& taken,
                        std::vector<std::string> missing) {
    send_seconds_.observe(seconds_since(begin, clock_));
    SendOutcome sent{result_of(id.value(), target, taken), std::nullopt};
    sent.result.pending = pending;
    sent.result.missing = std::move(missing);
    tell_sent(target, event, true, sent);
    (*done)(sent);
  };
  publisher_.order().run(std::move(place), [this, open, target = std::move(message.target),
                                            name = std::move(message.event), frame = std::move(frame),
                                            then = std::move(then)]() mutable {
    observe::guarded("the delivery of an event", [&] {
      hand_over(std::move(target), std::move(name), std::move(frame), in_cluster() ? open : nullptr, std::move(then));
    });
  });
}

void Sender::tell_sent(event::Target target, std::string event, bool qos, const SendOutcome& outcome) const {
  if (options_.on_sent) options_.on_sent({{std::move(target), std::move(event), "", qos}}, {outcome});
}

void Sender::stop() {
  waiting_sends_.stop();
  replayers_.stop();
  attempts_.flush();
  const MutexLock lock(soon_mutex_);
  stopping_ = true;
  // They come back to this object.
  while (soon_ != 0) soon_changed_.wait(soon_mutex_);
}

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

bool Sender::replay_wanted(const hub::ReplayRequest& request) {
  if (repository_.size() == 0 && !repository_.shared()) return false;
  return replayers_.submit([this, request] { replay_page(request); });
}

void Sender::acknowledged(event::TargetKind kind, std::string_view name, MessageId message, ConnectionId connection) {
  if (!store_counts_) confirmed_.add();
  repository_.confirm(service(), {kind, std::string(name)}, message);
  attempts_.confirmed(kind, name, message);
  trace_.add({clock_.wall_now(), message, Trace::What::kConfirmed, kind, std::string(name), connection});
  waits_.confirmed(kind, name, message);
}

void Sender::sent(event::TargetKind kind, std::string_view name, MessageId message, ConnectionId connection) {
  attempted_.add();
  attempts_.sent(kind, name, message);
  trace_.add({clock_.wall_now(), message, Trace::What::kSent, kind, std::string(name), connection});
}

// Every stream that opens meanwhile comes by.
void Sender::note_unread(const std::string& why) {
  const std::int64_t now = clock_.steady_now().time_since_epoch().count();
  std::int64_t last = last_unread_.load();
  const auto period = std::chrono::duration_cast<SteadyTime::duration>(kUnreadPeriod).count();
  if (last != 0 && now - last < period) return;
  if (!last_unread_.compare_exchange_strong(last, now)) return;
  observe::log_error("cannot read pending messages", {{"service", service().str()}, {"error", why}});
}

void Sender::replay_page(const hub::ReplayRequest& request) {
  std::vector<Recipient> recipients;
  for (const auto& [kind, name] : request.recipients) recipients.push_back({kind, name});
  std::vector<hub::ReplayFrame> page;
  MessageId through = request.after;
  bool last = true;
  bool failed = false;
  try {
    const std::vector<PendingMessage> pending = [&] {
      try {
        return repository_.pending(service(), recipients, request.after, kPageMessages, kPageBytes, clock_.wall_now());
      } catch (PartlyRead& part) {
        // The stream gets what there is, and the hub asks again for the rest.
        failed = true;
        note_unread(part.what());
        return part.take();
      }
    }();
    const std::uint64_t bytes =
        std::accumulate(pending.begin(), pending.end(), std::uint64_t{0},
                        [](std::uint64_t n, const PendingMessage& m) { return n + m.data.size(); });
    last = pending.size() < kPageMessages && bytes < kPageBytes.count();
    for (const PendingMessage& message : pending) {
      through = std::max(through, message.id);
      if (message.damaged) {
        observe::log_error(
            "a pending message is damaged and not delivered; look at it with 'ssectl messages show', "
            "then delete it",
            {{"service", service().str()}, {"message", message.id.str()}});
        continue;
      }
      const bool wanted =
          request.only_events.empty() ||
          (message.listening && std::ranges::find(request.only_events, message.event) != request.only_events.end());
      if (!wanted) continue;
      page.push_back({encode(message.id.str(), message.event, message.data, message.id, message.recipient.kind),
                      message.event, message.listening});
    }
  } catch (const Error& e) {
    failed = true;
    // They stay pending; the hub asks again.
    note_unread(e.what());
  }
  replayed_.add(page.size());
  hub_.replay(request, std::move(page), through, last, failed);
}

}  // namespace sse::delivery
