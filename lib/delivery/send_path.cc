#include "delivery/send_path.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/error.h"
#include "delivery/trace_log.h"
#include "event/event.h"

namespace sse::delivery {
namespace {

// Asynchronous sends that wait for other nodes: further ones take a thread, which bounds their number.
constexpr std::size_t kMaxRemoteSends = 1024;

double seconds_since(SteadyTime begin, const Clock& clock) {
  return std::chrono::duration<double>(clock.steady_now() - begin).count();
}

void require_reports(const SendRequest& request, bool reports) {
  if (!request.notify) return;
  if (!request.qos) {
    throw Error(ErrorCode::kInvalidArgument,
                "notify needs qos: without it nothing is stored of which the server could report what became");
  }
  if (!reports) {
    throw Error(
        ErrorCode::kInvalidArgument,
        "notify is not possible here: the messages are in a store of the program's own, which makes no delivery "
        "reports; send without it");
  }
}

void require_unions(const SendRequest& request, const store::MessageRepository& repository) {
  if (!request.qos || request.also.empty() || repository.stores_unions()) return;
  throw Error(
      ErrorCode::kInvalidArgument,
      "with qos a send has recipients of one kind here, because the message repository of this server stores no "
      "others; send to users and to tokens in a request each");
}

std::vector<SendOutcome> validated(const std::vector<SendRequest>& requests, const store::MessageRepository& repository,
                                   bool reports) {
  std::vector<SendOutcome> outcomes(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    try {
      event::validate({requests[i].event, requests[i].data, "", std::nullopt});
      require_unions(requests[i], repository);
      require_reports(requests[i], reports);
    } catch (const Error& e) {
      outcomes[i].refusal = {e.code(), e.what()};
    }
  }
  return outcomes;
}

// Gives a request back what message_of() took from it.
void restore(store::NewMessage&& message, SendRequest& request) {
  request.target = std::move(message.target);
  request.also = std::move(message.also);
  request.event = std::move(message.event);
  request.data = std::move(message.data);
  request.key = std::move(message.key);
  request.collapse = std::move(message.collapse);
}

}  // namespace

// The requests of one call, until their outcomes are reported.
class SendPath::Batch final : public Publication {
 public:
  // `waits`: `done` is called in any case, because a thread waits for it.
  Batch(SendPath& by, std::vector<SendRequest> what, Done then, bool waiting)
      : path(by),
        begin(by.clock_.steady_now()),
        waits(waiting),
        requests(std::move(what)),
        outcomes(validated(requests, by.repository_, by.options_.reports)),
        done_(std::move(then)) {}
  ~Batch() override {
    if (!waits || !done_) return;
    // A loop has stopped: no stream took the events. The sender may be gone, too.
    std::vector<std::vector<std::uint32_t>> none;
    for (const Outgoing& outgoing : events) none.emplace_back(std::max<std::size_t>(outgoing.target.names.size(), 1));
    fill_in(none, {});
    done_(std::move(outcomes));
  }

  bool any_qos() const {
    return std::ranges::any_of(requests, [](const SendRequest& request) { return request.qos; });
  }
  // Whether other nodes get an event.
  bool leaves_node() const {
    return path.options_.in_cluster &&
           std::ranges::any_of(requests, [](const SendRequest& request) { return !request.local; });
  }
  // Collects the events to publish; false when there are none.
  bool collect_events();
  void complete() {
    for (std::size_t i = 0; i < requests.size(); ++i) {
      if (requests[i].trace) log_traced(i);
    }
    if (path.options_.on_sent) path.options_.on_sent(requests, outcomes);
    std::exchange(done_, nullptr)(std::move(outcomes));
  }

  SendPath& path;
  const SteadyTime begin;
  const bool waits;
  std::vector<SendRequest> requests;
  std::vector<SendOutcome> outcomes;
  std::shared_ptr<void> open;  // see SendsInProgress

 private:
  void encoded() override {
    // Only a history may encode an event again, with another id.
    if (path.options_.resumable) return;
    for (SendRequest& request : requests) std::string().swap(request.data);
  }
  void handed_over() override {
    // The loops outlast SendPath::stop().
    if (!leaves_node()) open.reset();
  }
  void published(std::vector<std::vector<std::uint32_t>> taken, std::vector<std::string> missing) override {
    path.send_seconds_.observe(seconds_since(begin, path.clock_));
    fill_in(taken, missing);
    if (!missing.empty()) path.note_unreached(events);
    complete();
  }
  void fill_in(const std::vector<std::vector<std::uint32_t>>& taken, const std::vector<std::string>& missing);
  void log_traced(std::size_t number) const;

  Done done_;
};

bool SendPath::Batch::collect_events() {
  events.reserve(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const SendOutcome& outcome = outcomes[i];
    // What is stored goes to the streams now: nothing else would send it to them before they reconnect.
    const bool stored = outcome.result.id != 0;
    if ((outcome.refusal && !stored) || outcome.result.repeated) continue;
    const SendRequest& request = requests[i];
    if (!outcome.refusal) (request.qos ? path.sent_qos_ : path.sent_).add();
    if (request.qos && request.trace) path.trace_.set_context(MessageId(outcome.result.id), *request.trace);
    const auto add = [&](const event::Target& target, bool goes_on) {
      events.push_back({target, request.event, request.data, request.qos ? MessageId(outcome.result.id) : MessageId(),
                        outcome.result.id, request.local, false, i, request.except, goes_on,
                        request.trace ? &*request.trace : nullptr});
    };
    add(request.target, !request.also.empty());
    for (const event::Target& further : request.also) add(further, &further != &request.also.back());
  }
  return !events.empty();
}

void SendPath::Batch::fill_in(const std::vector<std::vector<std::uint32_t>>& taken,
                              const std::vector<std::string>& missing) {
  for (std::size_t i = 0; i < events.size(); ++i) {
    const event::Target& target = events[i].target;
    SendResult& result = outcomes[events[i].number].result;
    result.id = events[i].id;
    result.recipients.reserve(result.recipients.size() + taken[i].size());
    for (std::size_t n = 0; n < taken[i].size(); ++n) {
      result.recipients.push_back({target.kind, target.names.empty() ? std::string() : target.names[n], taken[i][n]});
      result.delivered += taken[i][n];
    }
    if (!events[i].local) result.missing = missing;
  }
}

void SendPath::Batch::log_traced(std::size_t number) const {
  const SendRequest& request = requests[number];
  const SendOutcome& outcome = outcomes[number];
  if (!traces(*request.trace)) return;
  log_trace(*request.trace,
            outcome.refusal           ? "event refused"
            : outcome.result.repeated ? "event repeated"
                                      : "event sent",
            {path.options_.service, request.event, MessageId(outcome.result.id), outcome.result.delivered});
}

SendPath::SendPath(Options options, const hub::Hub& hub, IdGenerator& ids, observe::Registry& metrics,
                   store::MessageRepository& repository, Publisher& publisher, Trace& trace)
    : options_(std::move(options)),
      hub_(hub),
      clock_(ids.clock()),
      repository_(repository),
      async_add_(store::ability<store::AsyncAdd>(repository)),
      publisher_(publisher),
      trace_(trace),
      sent_(metrics.counter("sse_sends_total", "Send calls accepted",
                            {{"service", options_.service.str()}, {"qos", "false"}})),
      sent_qos_(metrics.counter("sse_sends_total", "Send calls accepted",
                                {{"service", options_.service.str()}, {"qos", "true"}})),
      repeated_(metrics.counter("sse_sends_repeated_total", "Send calls whose key was known",
                                {{"service", options_.service.str()}})),
      refused_(metrics.counter("sse_sends_refused_total",
                               "Send calls with qos that the store refused: a limit is reached, or it cannot write",
                               {{"service", options_.service.str()}})),
      send_seconds_(metrics.histogram("sse_send_seconds", "From a send call until the streams have taken it",
                                      observe::latencies(), {{"service", options_.service.str()}})),
      commit_seconds_(metrics.histogram("sse_commit_seconds", "Waiting until messages sent with qos are stored",
                                        observe::latencies(), {{"service", options_.service.str()}})) {}

bool SendPath::sends_async(bool qos) const {
  return publisher_.remote_sends() < kMaxRemoteSends && (!qos || async_add_ != nullptr);
}

void SendPath::send_async(SendRequest request, Done done) {
  std::vector<SendRequest> requests;
  requests.push_back(std::move(request));
  auto batch = std::make_shared<Batch>(*this, std::move(requests), std::move(done), false);
  const bool stores = batch->any_qos() && !batch->outcomes.front().refusal;
  if (stores || batch->leaves_node()) {
    batch->open = in_progress_.begin();
    if (!batch->open) return;
  }
  if (stores) {
    store_async(std::move(batch));
  } else {
    publish(std::move(batch), {});
  }
}

// The store adds the requests on this thread, not on its own, which would then encode large or many messages while the
// commits of others wait.
void SendPath::start(std::vector<SendRequest> requests, Done done, const Stored& stored, bool waits) {
  auto batch = std::make_shared<Batch>(*this, std::move(requests), std::move(done), waits);
  if (batch->leaves_node()) {
    batch->open = waits ? in_progress_.begin_waiting() : in_progress_.begin();
    if (!batch->open) return;
  }
  DeliveryOrder::Place place = store(*batch);
  if (stored) stored(batch->outcomes);
  publish(std::move(batch), std::move(place));
}

void SendPath::store_async(std::shared_ptr<Batch> batch) {
  SendRequest& request = batch->requests.front();
  async_add_->add_async(message_of(std::move(request)),
                        [batch = std::move(batch)](store::NewMessage&& message, store::AddOutcome&& added) {
                          SendPath& path = batch->path;
                          // Messages committed earlier may not be ready yet.
                          DeliveryOrder::Place place = path.publisher_.order().take();
                          path.commit_seconds_.observe(seconds_since(batch->begin, path.clock_));
                          path.note_stored(std::move(added), message.created, batch->outcomes.front());
                          restore(std::move(message), batch->requests.front());
                          path.publish(batch, std::move(place));
                        });
}

DeliveryOrder::Place SendPath::store(Batch& batch) {
  std::vector<store::NewMessage> messages;
  std::vector<std::size_t> indexes;
  std::vector<std::vector<std::size_t>> before;  // requests without qos before each message
  std::vector<std::size_t> plain;
  DeliveryOrder::Place place;
  if (!batch.any_qos()) return place;
  for (std::size_t i = 0; i < batch.requests.size(); ++i) {
    if (batch.outcomes[i].refusal) continue;
    if (!batch.requests[i].qos) {
      plain.push_back(i);
      continue;
    }
    messages.push_back(message_of(std::move(batch.requests[i])));
    messages.back().ids_before = static_cast<std::uint32_t>(plain.size());
    before.push_back(std::exchange(plain, {}));
    indexes.push_back(i);
  }
  if (messages.empty()) return place;
  messages.back().ids_behind = static_cast<std::uint32_t>(plain.size());
  const SteadyTime begin = clock_.steady_now();
  std::vector<store::AddOutcome> added =
      repository_.add_in_order(messages, [this, &place] { place = publisher_.order().take(); });
  commit_seconds_.observe(seconds_since(begin, clock_));
  // Ids are in the order of the requests, with and without qos.
  const auto give = [&](const std::vector<MessageId>& ids, const std::vector<std::size_t>& to) {
    for (std::size_t i = 0; i < std::min(ids.size(), to.size()); ++i) batch.outcomes[to[i]].result.id = ids[i].value();
  };
  for (std::size_t k = 0; k < added.size(); ++k) {
    give(added[k].before, before[k]);
    give(added[k].behind, plain);
    note_stored(std::move(added[k]), messages[k].created, batch.outcomes[indexes[k]]);
    restore(std::move(messages[k]), batch.requests[indexes[k]]);
  }
  return place;
}

void SendPath::publish(std::shared_ptr<Batch> batch, DeliveryOrder::Place place) {
  if (batch->collect_events()) {
    publisher_.start(std::move(batch), std::move(place));
  } else {
    batch->complete();
  }
}

store::NewMessage SendPath::message_of(SendRequest&& request) const {
  const WallTime now = clock_.wall_now();
  store::NewMessage message{options_.service,
                            std::move(request.target),
                            std::move(request.event),
                            std::move(request.data),
                            now,
                            now + ttl_of(request),
                            std::move(request.key),
                            std::move(request.collapse),
                            request.original,
                            MessageId(),
                            request.awaited};
  message.also = std::move(request.also);
  message.notify = request.notify;
  return message;
}

void SendPath::note_stored(store::AddOutcome&& added, WallTime created, SendOutcome& outcome) {
  outcome.result.id = added.id.value();
  outcome.result.pending = added.pending;
  outcome.result.repeated = added.repeated;
  outcome.refusal = std::move(added.refusal);
  if (outcome.refusal) {
    refused_.add();
  } else if (added.repeated) {
    repeated_.add();
    trace_.add(added.id, Trace::Step::kRepeated, clock_.wall_now());
  } else {
    trace_.add(added.id, Trace::Step::kAccepted, created);
    trace_.add(added.id, Trace::Step::kCommitted, clock_.wall_now());
  }
}

}  // namespace sse::delivery
