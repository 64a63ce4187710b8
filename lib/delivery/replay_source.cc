#include "delivery/replay_source.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <numeric>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/units.h"
#include "delivery/encode_frame.h"
#include "event/event.h"
#include "observe/log.h"
#include "store/repository_abilities.h"

namespace sse::delivery {
namespace {

constexpr std::size_t kReaders = 2;
constexpr std::chrono::seconds kReaderIdle{10};
constexpr std::size_t kPageMessages = 256;
constexpr ByteCount kPageBytes = kibibytes(256);

}  // namespace

// Every open stream waits for at most one page, so that the number of streams bounds the queue of the pool.
ReplaySource::ReplaySource(const ServiceName& service, store::MessageRepository& repository, observe::Registry& metrics,
                           const Clock& clock, ReadFailureLog& failures, Deliver deliver, ReadHistory read_history)
    : service_(service),
      repository_(repository),
      shared_(store::ability<store::SharedStore>(repository) != nullptr),
      clock_(clock),
      replayed_(metrics.counter("sse_replayed_total", "Pending messages replayed to a stream when it opened",
                                {{"service", service.str()}})),
      failures_(failures),
      deliver_(std::move(deliver)),
      read_history_(std::move(read_history)),
      readers_("sse-replay", 0, kReaders, SIZE_MAX, kReaderIdle, clock) {}

bool ReplaySource::request(const hub::ReplayRequest& request) {
  if (repository_.size() == 0 && !shared_ && !request.history) return false;
  return readers_.submit([this, request] { deliver_(request, read(request)); });
}

ReplaySource::Page ReplaySource::read(const hub::ReplayRequest& request) {
  Page page;
  page.through = request.after;
  if (repository_.size() != 0 || shared_) read_store(request, page);
  replayed_.add(page.frames.size());
  if (request.history && read_history_) add_history(*request.history, page);
  return page;
}

void ReplaySource::read_store(const hub::ReplayRequest& request, Page& page) {
  try {
    const std::vector<store::PendingMessage> messages = pending(request, page.failed);
    const std::uint64_t bytes =
        std::accumulate(messages.begin(), messages.end(), std::uint64_t{0},
                        [](std::uint64_t n, const store::PendingMessage& m) { return n + m.data.size(); });
    page.last = messages.size() < kPageMessages && bytes < kPageBytes.count();
    for (const store::PendingMessage& message : messages) {
      page.through = std::max(page.through, message.id);
      add_frame(request, message, page);
    }
  } catch (const Error& e) {
    page.failed = true;
    // The messages stay pending, and the hub requests them again.
    failures_.report(e.what());
  }
}

// Merges both by id and position. A message in both is taken from the store: it is pending.
void ReplaySource::add_history(const hub::ChannelCatchUp& wanted, Page& page) const {
  ChannelHistoryPage history = read_history_(wanted, kPageMessages);
  // Neither may overtake what the other has not read yet.
  const MessageId all(UINT64_MAX);
  const MessageId limit = std::min(page.last ? all : page.through, history.last ? all : history.through);
  std::vector<hub::ReplayFrame> pending = std::exchange(page.frames, {});
  std::erase_if(pending, [&](const hub::ReplayFrame& item) { return item.frame->message() > limit; });
  std::vector<MessageId> ids;
  for (const hub::ReplayFrame& item : pending) ids.push_back(item.frame->message());
  if (history.gap) page.frames.push_back({std::move(history.gap), std::string(event::kResync)});
  auto next = pending.begin();
  const auto take_pending = [&](MessageId through) {
    for (; next != pending.end() && next->frame->message() <= through; ++next) page.frames.push_back(std::move(*next));
  };
  for (hub::RetainedEvent& event : history.events) {
    if (event.position > limit) break;
    take_pending(event.position);
    const MessageId message = event.frame->message();
    if (message.valid() && std::ranges::binary_search(ids, message)) continue;
    std::string name(event::name_of(event.frame->bytes()));
    page.frames.push_back({std::move(event.frame), std::move(name), event.listening, event.position});
  }
  take_pending(all);
  page.through = std::min(page.through, limit);
  page.history_through = std::min(history.through, limit);
  page.last = page.last && history.last;
}

std::vector<store::PendingMessage> ReplaySource::pending(const hub::ReplayRequest& request, bool& failed) {
  std::vector<store::Recipient> recipients;
  for (const auto& [kind, name] : request.recipients) recipients.push_back({kind, name});
  try {
    return repository_.pending(service_, recipients, request.after, kPageMessages, kPageBytes, clock_.wall_now());
  } catch (store::PartialRead& part) {
    // The stream gets the messages that were read, and the hub requests the rest later.
    failed = true;
    failures_.report(part.what());
    return part.take();
  }
}

void ReplaySource::add_frame(const hub::ReplayRequest& request, const store::PendingMessage& message,
                             Page& page) const {
  if (message.damaged) {
    observe::log_error(
        "a pending message is damaged and not delivered; look at it with 'ssectl messages show', "
        "then delete it",
        {{"service", service_.str()}, {"message", message.id.str()}});
    return;
  }
  const bool wanted =
      request.only_events.empty() ||
      (message.listening && std::ranges::find(request.only_events, message.event) != request.only_events.end());
  if (!wanted) return;
  const store::Recipient& recipient = message.recipient;
  const bool in_channel = recipient.kind == event::TargetKind::kChannel;
  page.frames.push_back({encode_frame(message.id.str(), message.event, message.data, message.id, recipient.kind,
                                      in_channel ? std::string_view(recipient.name) : std::string_view()),
                         message.event, message.listening});
}

}  // namespace sse::delivery
