#include "delivery/sender.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "delivery/trace_log.h"
#include "event/event.h"

namespace sse::delivery {
namespace {

hub::HubOptions hub_options(const SenderOptions& options) {
  hub::HubOptions hub = options.hub;
  hub.resumable = options.history.events != 0;
  return hub;
}

SendPath::Options path_options(const SenderOptions& options, store::MessageRepository& repository) {
  const bool shared = options.remote_nodes != nullptr && store::ability<store::SharedStore>(repository) != nullptr;
  return {options.hub.service,
          options.ttl,
          options.remote_nodes != nullptr,
          options.history.events != 0,
          options.reports,
          options.on_sent,
          shared ? store::ability<store::MessageCatalog>(store::ability<store::SharedStore>(repository)->local())
                 : nullptr};
}

}  // namespace

Sender::Sender(SenderOptions options, const std::vector<std::unique_ptr<net::EventLoop>>& loops, IdGenerator& ids,
               observe::Registry& metrics, store::MessageRepository& repository)
    : options_(std::move(options)),
      clock_(ids.clock()),
      repository_(repository),
      confirmed_(metrics.counter("sse_confirmed_total", "Pending messages confirmed by a recipient",
                                 {{"service", service().str()}})),
      attempted_(
          metrics.counter("sse_attempts_total", "Pending messages sent on a stream", {{"service", service().str()}})),
      retried_(metrics.counter("sse_retried_total", "Pending messages that an operator sent once more",
                               {{"service", service().str()}})),
      collapsed_(metrics.counter("sse_collapsed_total",
                                 "Pending messages replaced by a newer one with the same collapse key",
                                 {{"service", service().str()}})),
      deleted_(metrics.counter("sse_deleted_total", "Pending messages that an operator deleted or purged")),
      attempts_(service(), options_.attempts, clock_),
      read_failures_(service(), clock_),
      replay_source_(
          service(), repository_, metrics, clock_, read_failures_,
          [this](const hub::ReplayRequest& request, ReplaySource::Page page) { hub_.replay(request, std::move(page)); },
          [this](const hub::ChannelCatchUp& wanted, std::size_t limit) {
            return publisher_.read_channel(wanted, limit);
          }),
      confirmed_sends_(service(), send_path_, repository_, trace_, delivery_states_, read_failures_, clock_),
      hub_(hub_options(options_), loops, ids, metrics, *this),
      publisher_(options_.history, hub_, ids, metrics, service(), options_.remote_nodes),
      send_path_(path_options(options_, repository_), hub_, ids, metrics, repository_, publisher_, trace_),
      delivery_states_(service(), hub_, options_.remote_nodes),
      counter_(store::ability<store::ConfirmationCounter>(repository_)),
      withdrawals_(store::ability<store::WithdrawalReports>(repository_)),
      shared_store_(store::ability<store::SharedStore>(repository_)) {
  if (counter_ != nullptr) counter_->count_confirmed(service(), &confirmed_);
  if (withdrawals_ != nullptr)
    withdrawals_->report_withdrawn(service(), [this](const std::vector<store::Withdrawn>& gone) { withdrawn(gone); });
  if (shared_store_ == nullptr) return;
  shared_store_->report_settled(service(), [this](const store::Recipient& recipient, MessageId message) {
    if (message.valid()) {
      confirmed_sends_.confirmed(recipient.kind, recipient.name, message);
    } else {
      confirmed_sends_.check_all();
    }
  });
}

Sender::~Sender() {
  confirmed_sends_.stop();
  if (shared_store_ != nullptr) shared_store_->report_settled(service(), {});
  if (withdrawals_ != nullptr) withdrawals_->report_withdrawn(service(), {});
  if (counter_ != nullptr) counter_->count_confirmed(service(), nullptr);
}

void Sender::opening(const hub::Names& names, std::function<void()> proceed) {
  if (options_.remote_nodes == nullptr) {
    proceed();
  } else {
    options_.remote_nodes->subscribe(service(), names, std::move(proceed));
  }
}

void Sender::left(const hub::Names& names) {
  if (options_.remote_nodes != nullptr) options_.remote_nodes->unsubscribe(service(), names);
}

void Sender::client_opened(const hub::ClientKey& client, ConnectionId connection) {
  if (options_.remote_nodes != nullptr) options_.remote_nodes->client_opened(service(), client, connection);
}

void Sender::stop() {
  confirmed_sends_.stop();
  replay_source_.stop();
  attempts_.flush();
  send_path_.stop();
}

void Sender::acknowledged(event::TargetKind kind, std::string_view name, MessageId message, ConnectionId connection) {
  if (counter_ == nullptr) confirmed_.add();
  repository_.confirm(service(), {kind, std::string(name)}, message);
  attempts_.confirmed(kind, name, message);
  trace_.add({clock_.wall_now(), message, Trace::Step::kConfirmed, kind, std::string(name), connection});
  confirmed_sends_.confirmed(kind, name, message);
  log_step(message, "message confirmed", connection);
}

void Sender::acknowledged_before(event::TargetKind kind, std::string_view name, MessageId message) {
  repository_.confirm(service(), {kind, std::string(name)}, message);
}

void Sender::sent(event::TargetKind kind, std::string_view name, MessageId message, ConnectionId connection) {
  attempted_.add();
  attempts_.sent(kind, name, message);
  trace_.add({clock_.wall_now(), message, Trace::Step::kSent, kind, std::string(name), connection});
  log_step(message, "message sent", connection);
}

void Sender::log_step(MessageId message, std::string_view what, ConnectionId connection) const {
  const std::optional<TraceContext> context = trace_.context(message);
  if (context && traces(*context)) log_trace(*context, what, {service(), "", message, {}, connection});
}

void Sender::deliver_local(std::vector<hub::Hub::Delivery> deliveries,
                           std::function<void(std::vector<std::vector<std::uint32_t>>)> done) {
  struct Traced {
    std::size_t number;
    TraceContext context;
    std::string event;
    MessageId id;
  };
  std::vector<Traced> traced;
  for (std::size_t i = 0; i < deliveries.size(); ++i) {
    const hub::Hub::Delivery& delivery = deliveries[i];
    if (delivery.trace == nullptr) continue;
    const MessageId message = delivery.frame->message();
    if (message.valid()) trace_.set_context(message, *delivery.trace);
    if (traces(*delivery.trace))
      traced.push_back(
          {i, *delivery.trace, std::string(delivery.event), MessageId(event::id_of(delivery.frame->bytes()))});
  }
  if (!traced.empty()) {
    done = [this, traced = std::move(traced), then = std::move(done)](std::vector<std::vector<std::uint32_t>> taken) {
      for (const Traced& one : traced) {
        const std::vector<std::uint32_t>& counts = taken.at(one.number);
        log_trace(one.context, "event delivered",
                  {service(), one.event, one.id, std::accumulate(counts.begin(), counts.end(), std::uint64_t{0})});
      }
      then(std::move(taken));
    };
  }
  hub_.start_delivery(std::move(deliveries), std::move(done));
}

std::uint64_t Sender::retry(const std::vector<store::PendingMessage>& rows) {
  for (const store::PendingMessage& row : rows) {
    if (row.service != service() || row.damaged) continue;
    retried_.add();
    trace_.add({clock_.wall_now(), row.id, Trace::Step::kRetried, row.recipient.kind, row.recipient.name, {}});
  }
  return send_path_.send_stored(rows, true);
}

std::uint64_t Sender::send_requeued(const std::vector<store::PendingMessage>& rows) {
  for (const store::PendingMessage& row : rows) {
    if (row.service != service()) continue;
    trace_.add(row.id, Trace::Step::kAccepted, row.created);
    trace_.add(row.id, Trace::Step::kCommitted, clock_.wall_now());
  }
  return send_path_.send_stored(rows, false);
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
    if (shared_store_ != nullptr) confirmed_sends_.withdrawn(one.id);
  }
}

}  // namespace sse::delivery
