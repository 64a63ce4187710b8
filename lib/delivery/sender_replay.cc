// Sender: reads pending messages for streams that open.
#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "delivery/sender.h"
#include "delivery/sender_parts.h"
#include "observe/log.h"

namespace sse::delivery {

namespace {

constexpr std::size_t kPageMessages = 256;
constexpr ByteCount kPageBytes = kibibytes(256);
constexpr std::chrono::seconds kUnreadPeriod{1};

}  // namespace

// Logs at most once per kUnreadPeriod, because every stream that opens meanwhile fails to read.
void Sender::log_failed_read(const std::string& why) {
  const std::int64_t now = clock_.steady_now().time_since_epoch().count();
  std::int64_t last = last_unread_.load();
  const auto period = std::chrono::duration_cast<SteadyTime::duration>(kUnreadPeriod).count();
  if (last != 0 && now - last < period) return;
  if (!last_unread_.compare_exchange_strong(last, now)) return;
  observe::log_error("cannot read pending messages", {{"service", service().str()}, {"error", why}});
}

void Sender::replay_page(const hub::ReplayRequest& request) {
  std::vector<store::Recipient> recipients;
  for (const auto& [kind, name] : request.recipients) recipients.push_back({kind, name});
  std::vector<hub::ReplayFrame> page;
  MessageId through = request.after;
  bool last = true;
  bool failed = false;
  try {
    const std::vector<store::PendingMessage> pending = [&] {
      try {
        return repository_.pending(service(), recipients, request.after, kPageMessages, kPageBytes, clock_.wall_now());
      } catch (store::PartialRead& part) {
        // The stream gets the messages that were read, and the hub requests the rest later.
        failed = true;
        log_failed_read(part.what());
        return part.take();
      }
    }();
    const std::uint64_t bytes =
        std::accumulate(pending.begin(), pending.end(), std::uint64_t{0},
                        [](std::uint64_t n, const store::PendingMessage& m) { return n + m.data.size(); });
    last = pending.size() < kPageMessages && bytes < kPageBytes.count();
    for (const store::PendingMessage& message : pending) {
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
    // The messages stay pending, and the hub requests them again.
    log_failed_read(e.what());
  }
  replayed_.add(page.size());
  hub_.replay(request, std::move(page), through, last, failed);
}

}  // namespace sse::delivery
