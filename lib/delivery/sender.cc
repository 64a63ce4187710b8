#include "delivery/sender.h"

#include <algorithm>
#include <utility>

#include "delivery/sender_parts.h"
#include "event/event.h"

namespace sse::delivery {
namespace {

hub::HubOptions hub_options(const SenderOptions& options) {
  hub::HubOptions hub = options.hub;
  hub.resumable = options.history.events != 0;
  return hub;
}

}  // namespace

std::string_view state_name(const hub::DeliveryState& message) {
  using State = hub::DeliveryState::State;
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
               observe::Registry& metrics, store::MessageRepository& repository)
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
      repeated_(metrics.counter("sse_sends_repeated_total", "Send calls whose key was known",
                                {{"service", service().str()}})),
      refused_(metrics.counter("sse_sends_refused_total",
                               "Send calls with qos that the store refused: a limit is reached, or it cannot write",
                               {{"service", service().str()}})),
      attempted_(
          metrics.counter("sse_attempts_total", "Pending messages sent on a stream", {{"service", service().str()}})),
      retried_(metrics.counter("sse_retried_total", "Pending messages that an operator sent once more",
                               {{"service", service().str()}})),
      collapsed_(metrics.counter("sse_collapsed_total",
                                 "Pending messages replaced by a newer one with the same collapse key",
                                 {{"service", service().str()}})),
      deleted_(metrics.counter("sse_deleted_total", "Pending messages that an operator deleted or purged")),
      waiting_sends_(clock_),
      confirmation_waiter_(clock_),
      attempts_(service(), options_.attempts, clock_),
      send_seconds_(metrics.histogram("sse_send_seconds", "From a send call until the streams have taken it",
                                      observe::latencies(), {{"service", service().str()}})),
      commit_seconds_(metrics.histogram("sse_commit_seconds", "Waiting until messages sent with qos are stored",
                                        observe::latencies(), {{"service", service().str()}})),
      read_failures_(service(), clock_),
      replay_source_(service(), repository_, metrics, clock_, read_failures_,
                     [this](const hub::ReplayRequest& request, ReplaySource::Page page) {
                       hub_.replay(request, std::move(page.frames), page.through, page.last, page.failed);
                     }),
      hub_(hub_options(options_), loops, ids, metrics, *this),
      publisher_(options_.history, hub_, ids, metrics, service(), options_.remote_nodes),
      store_counts_(repository_.count_confirmed(service(), &confirmed_)) {
  confirmation_waiter_.report([this](MessageId message) { waiting_sends_.confirmed(message); });
  repository_.report_withdrawn(service(), [this](const std::vector<store::Withdrawn>& gone) { withdrawn(gone); });
  repository_.report_settled(service(), [this](const store::Recipient& recipient, MessageId message) {
    if (message.valid()) {
      confirmation_waiter_.confirmed(recipient.kind, recipient.name, message);
    } else {
      waiting_sends_.check_all();
    }
  });
}

Sender::~Sender() {
  waiting_sends_.stop();
  repository_.report_settled(service(), {});
  repository_.report_withdrawn(service(), {});
  repository_.count_confirmed(service(), nullptr);
}

void Sender::opening(const hub::Names& names, std::function<void()> proceed) {
  if (options_.remote_nodes == nullptr) {
    proceed();
  } else {
    options_.remote_nodes->expect(service(), names, std::move(proceed));
  }
}

void Sender::left(const hub::Names& names) {
  if (options_.remote_nodes != nullptr) options_.remote_nodes->gone(service(), names);
}

void Sender::client_opened(const hub::ClientKey& client, ConnectionId connection) {
  if (options_.remote_nodes != nullptr) options_.remote_nodes->client_opened(service(), client, connection);
}

void Sender::report_sent(event::Target target, std::string event, bool qos, const SendOutcome& outcome) const {
  if (options_.on_sent) options_.on_sent({{std::move(target), std::move(event), "", qos}}, {outcome});
}

void Sender::stop() {
  waiting_sends_.stop();
  replay_source_.stop();
  attempts_.flush();
  const MutexLock lock(async_mutex_);
  stopping_ = true;
  // Their callbacks use this object.
  while (async_ != 0) async_changed_.wait(async_mutex_);
}

void Sender::acknowledged(event::TargetKind kind, std::string_view name, MessageId message, ConnectionId connection) {
  if (!store_counts_) confirmed_.add();
  repository_.confirm(service(), {kind, std::string(name)}, message);
  attempts_.confirmed(kind, name, message);
  trace_.add({clock_.wall_now(), message, Trace::Step::kConfirmed, kind, std::string(name), connection});
  confirmation_waiter_.confirmed(kind, name, message);
}

void Sender::acknowledged_before(event::TargetKind kind, std::string_view name, MessageId message) {
  repository_.confirm(service(), {kind, std::string(name)}, message);
}

void Sender::sent(event::TargetKind kind, std::string_view name, MessageId message, ConnectionId connection) {
  attempted_.add();
  attempts_.sent(kind, name, message);
  trace_.add({clock_.wall_now(), message, Trace::Step::kSent, kind, std::string(name), connection});
}

}  // namespace sse::delivery
