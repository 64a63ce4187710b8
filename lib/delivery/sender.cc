#include "delivery/sender.h"

#include <algorithm>
#include <utility>

#include "delivery/sender_parts.h"
#include "event/event.h"

namespace sse::delivery {
namespace {

constexpr std::size_t kReplayThreads = 2;
constexpr std::chrono::seconds kReplayIdle{10};
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

void Sender::acknowledged_before(event::TargetKind kind, std::string_view name, MessageId message) {
  repository_.confirm(service(), {kind, std::string(name)}, message);
}

void Sender::sent(event::TargetKind kind, std::string_view name, MessageId message, ConnectionId connection) {
  attempted_.add();
  attempts_.sent(kind, name, message);
  trace_.add({clock_.wall_now(), message, Trace::What::kSent, kind, std::string(name), connection});
}

}  // namespace sse::delivery
