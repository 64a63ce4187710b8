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
      // Every open stream waits for at most one page, so that this queue is bounded by their number.
      replayers_("sse-replay", 0, kReplayThreads, SIZE_MAX),
      hub_(options_.hub, loops, ids, metrics, *this) {}

Sender::~Sender() = default;

SendResult Sender::send(const SendRequest& request) {
  event::validate({request.event, request.data, "", std::nullopt});
  SendResult result;
  MessageId message;
  if (request.qos) {
    NewMessage kept;
    kept.service = service();
    kept.target = request.target;
    kept.event = request.event;
    kept.data = request.data;
    kept.created = wall_now();
    kept.expires = kept.created + (request.ttl.count() != 0 ? request.ttl : options_.ttl);
    message = repository_.add(kept);
    result.id = message.value();
    result.pending = std::max<std::size_t>(request.target.names.size(), 1);
    sent_qos_.add();
  } else {
    result.id = ids_.next();
    sent_.add();
  }
  const event::FrameRef frame =
      encode(std::to_string(result.id), request.event, request.data, message, request.target.kind);
  const std::vector<std::uint32_t> taken = hub_.deliver(request.target, request.event, frame);
  for (std::size_t i = 0; i < taken.size(); ++i) {
    const bool all = request.target.kind == event::TargetKind::kAll;
    result.recipients.push_back({request.target.kind, all ? std::string() : request.target.names[i], taken[i]});
    result.delivered += taken[i];
  }
  return result;
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
    // They stay pending; the next connect looks again.
    observe::log_error("cannot read pending messages", {{"service", service().str()}, {"error", e.what()}});
  }
  replayed_.add(page.size());
  hub_.replay(request, std::move(page), through, last);
}

}  // namespace sse::delivery
