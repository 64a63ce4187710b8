#include "delivery/sender.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "event/event.h"
#include "event/frame.h"
#include "observe/log.h"

namespace sse::delivery {
namespace {

constexpr std::size_t kPageMessages = 256;
constexpr ByteCount kPageBytes = kibibytes(256);
constexpr std::size_t kReplayThreads = 2;

event::FrameRef encode(const std::string& id, const std::string& name, const std::string& data, MessageId message,
                       event::TargetKind kind) {
  event::Event event;
  event.id = id;
  event.name = name;
  event.data = data;
  return event::Frame::make(event::encode(event), message, kind);
}

double seconds_since(SteadyTime begin) {
  return std::chrono::duration<double>(steady_now() - begin).count();
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

Sender::Sender(SenderOptions options, const std::vector<std::unique_ptr<net::EventLoop>>& loops, IdGenerator& ids,
               observe::Registry& metrics, MessageRepository& repository)
    : options_(std::move(options)),
      ids_(ids),
      repository_(repository),
      sent_(
          metrics.counter("sse_sends_total", "Send calls accepted", {{"service", service().str()}, {"qos", "false"}})),
      sent_qos_(
          metrics.counter("sse_sends_total", "Send calls accepted", {{"service", service().str()}, {"qos", "true"}})),
      confirmed_(metrics.counter("sse_confirmed_total", "Pending messages confirmed by a recipient",
                                 {{"service", service().str()}})),
      replayed_(metrics.counter("sse_replayed_total", "Pending messages given to a stream when it opened",
                                {{"service", service().str()}})),
      send_seconds_(metrics.histogram("sse_send_seconds", "From a send call until the streams have taken it",
                                      observe::latencies(), {{"service", service().str()}})),
      commit_seconds_(metrics.histogram("sse_commit_seconds", "Waiting until messages sent with qos are stored",
                                        observe::latencies(), {{"service", service().str()}})),
      // Every open stream waits for at most one page, so that this queue is bounded by their number.
      replayers_("sse-replay", 0, kReplayThreads, SIZE_MAX),
      hub_(hub_options(options_), loops, ids, metrics, *this),
      publisher_(options_.history, hub_, ids, metrics, service()) {}

Sender::~Sender() = default;

SendResult Sender::send(const SendRequest& request) {
  SendOutcome outcome = send_all({request}).front();
  if (outcome.refusal) throw Error(outcome.refusal->code, outcome.refusal->sentence);
  return std::move(outcome.result);
}

std::vector<SendOutcome> Sender::send_all(const std::vector<SendRequest>& requests) {
  const SteadyTime begin = steady_now();
  std::vector<SendOutcome> outcomes(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    try {
      event::validate({requests[i].event, requests[i].data, "", std::nullopt});
    } catch (const Error& e) {
      outcomes[i].refusal = {e.code(), e.what()};
    }
  }
  keep(requests, outcomes);
  std::vector<Outgoing> outgoing;
  std::vector<std::size_t> indexes;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (outcomes[i].refusal) continue;
    const SendRequest& request = requests[i];
    (request.qos ? sent_qos_ : sent_).add();
    outgoing.push_back({request.target, request.event, request.data, MessageId(outcomes[i].result.id)});
    indexes.push_back(i);
  }
  const auto taken = publisher_.publish(outgoing);
  if (!outgoing.empty()) send_seconds_.observe(seconds_since(begin));
  for (std::size_t d = 0; d < taken.size(); ++d) {
    SendResult& result = outcomes[indexes[d]].result;
    result = result_of(outgoing[d].id, requests[indexes[d]].target, taken[d]);
    if (requests[indexes[d]].qos) result.pending = taken[d].size();
  }
  return outcomes;
}

void Sender::send_soon(SendRequest request, std::function<void(const SendResult&)> done) {
  event::validate({request.event, request.data, "", std::nullopt});
  const SteadyTime begin = steady_now();
  const std::uint64_t id = ids_.next();
  sent_.add();
  event::FrameRef frame = encode(std::to_string(id), request.event, request.data, MessageId(), request.target.kind);
  hub_.deliver_soon(
      std::move(request.target), std::move(request.event), std::move(frame),
      [this, id, begin, done = std::move(done)](const event::Target& target, const std::vector<std::uint32_t>& taken) {
        send_seconds_.observe(seconds_since(begin));
        done(result_of(id, target, taken));
      });
}

void Sender::keep(const std::vector<SendRequest>& requests, std::vector<SendOutcome>& outcomes) {
  std::vector<NewMessage> messages;
  std::vector<std::size_t> indexes;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const SendRequest& request = requests[i];
    if (!request.qos || outcomes[i].refusal) continue;
    const WallTime now = wall_now();
    messages.push_back({service(), request.target, request.event, request.data, now,
                        now + (request.ttl.count() != 0 ? request.ttl : options_.ttl)});
    indexes.push_back(i);
  }
  if (messages.empty()) return;
  const SteadyTime begin = steady_now();
  std::vector<AddOutcome> kept = repository_.add_all(messages);
  commit_seconds_.observe(seconds_since(begin));
  for (std::size_t k = 0; k < kept.size(); ++k) {
    outcomes[indexes[k]].result.id = kept[k].id.value();
    outcomes[indexes[k]].refusal = std::move(kept[k].refusal);
  }
}

bool Sender::replay_wanted(const hub::ReplayRequest& request) {
  if (repository_.size() == 0) return false;
  return replayers_.submit([this, request] { replay_page(request); });
}

void Sender::acknowledged(event::TargetKind kind, std::string_view name, MessageId message) {
  confirmed_.add();
  repository_.confirm(service(), {kind, std::string(name)}, message);
}

void Sender::replay_page(const hub::ReplayRequest& request) {
  std::vector<Recipient> recipients;
  for (const auto& [kind, name] : request.recipients) recipients.push_back({kind, name});
  std::vector<hub::ReplayFrame> page;
  MessageId through = request.after;
  bool last = true;
  bool failed = false;
  try {
    std::vector<PendingMessage> pending =
        repository_.pending(service(), recipients, request.after, kPageMessages, kPageBytes, wall_now());
    const std::uint64_t bytes =
        std::accumulate(pending.begin(), pending.end(), std::uint64_t{0},
                        [](std::uint64_t n, const PendingMessage& m) { return n + m.data.size(); });
    last = pending.size() < kPageMessages && bytes < kPageBytes.count();
    for (const PendingMessage& message : pending) {
      through = std::max(through, message.id);
      const bool wanted =
          request.only_events.empty() ||
          (message.listening && std::ranges::find(request.only_events, message.event) != request.only_events.end());
      if (!wanted) continue;
      page.push_back({encode(message.id.str(), message.event, message.data, message.id, message.recipient.kind),
                      message.event, message.listening});
    }
  } catch (const Error& e) {
    failed = true;
    // They stay pending; the next connect looks again.
    observe::log_error("cannot read pending messages", {{"service", service().str()}, {"error", e.what()}});
  }
  replayed_.add(page.size());
  hub_.replay(request, std::move(page), through, last, failed);
}

}  // namespace sse::delivery
