#include "hub/in_flight.h"

#include <algorithm>

namespace sse::hub {
namespace {

// At-most-once events that are remembered behind a message nobody confirms. A last event id beyond them confirms
// nothing, which costs no more than a message sent twice.
constexpr std::size_t kMostEvents = 16'384;
constexpr int kMostDoublings = 3;

}  // namespace

void InFlight::sent(std::uint64_t event) {
  if (open_ == 0 || event == 0 || log_.size() >= kMostEvents) return;
  log_.push_back({event, SteadyTime::max()});
}

void InFlight::sent(MessageId message, event::TargetKind recipient, SteadyTime now, std::chrono::milliseconds timeout) {
  std::uint8_t sends = 1;
  if (const auto known = find_open(message); known != log_.end()) {
    sends = static_cast<std::uint8_t>(std::min(known->sends + 1, 100));
    // Its place is where it was first: a client that got the first copy and reports it has seen what came before.
    known->sends = sends;
    if (timeout.count() != 0) known->due = now + timeout * (1 << std::min(sends - 1, kMostDoublings));
    next_due_ = std::min(next_due_, known->due);
    return;
  }
  const SteadyTime due = timeout.count() == 0 ? SteadyTime::max() : now + timeout;
  log_.push_back({message.value(), due, recipient, sends, true});
  ++open_;
  largest_ = std::max(largest_, message.value());
  next_due_ = std::min(next_due_, due);
}

std::optional<InFlight::Entry> InFlight::confirm(MessageId message) {
  const auto found = find_open(message);
  if (found == log_.end()) return std::nullopt;
  const Entry entry{message, found->recipient};
  close(*found);
  trim();
  return entry;
}

std::vector<InFlight::Entry> InFlight::confirm_through(std::uint64_t id) {
  std::vector<Entry> confirmed;
  if (id == 0) return confirmed;
  const auto last = std::find_if(log_.begin(), log_.end(), [&](const Event& e) { return e.id == id; });
  if (last == log_.end()) return confirmed;
  for (auto event = log_.begin();; ++event) {
    if (event->open) {
      confirmed.push_back({MessageId(event->id), event->recipient});
      close(*event);
    }
    if (event == last) break;
  }
  trim();
  return confirmed;
}

bool InFlight::contains(MessageId message) const {
  // Replays come ascending: most of what is asked for is newer than anything here.
  if (message.value() > largest_) return false;
  return std::any_of(log_.begin(), log_.end(), [&](const Event& e) { return e.open && e.id == message.value(); });
}

std::vector<MessageId> InFlight::due(SteadyTime now) {
  std::vector<MessageId> late;
  next_due_ = SteadyTime::max();
  for (const Event& event : log_) {
    if (!event.open) continue;
    if (event.due <= now) late.push_back(MessageId(event.id));
    next_due_ = std::min(next_due_, event.due);
  }
  std::ranges::sort(late);
  return late;
}

// Confirmations come in the order of the stream, so that this ends soon.
std::deque<InFlight::Event>::iterator InFlight::find_open(MessageId message) {
  if (message.value() > largest_) return log_.end();
  return std::find_if(log_.begin(), log_.end(), [&](const Event& e) { return e.open && e.id == message.value(); });
}

void InFlight::close(Event& event) {
  event.open = false;
  event.due = SteadyTime::max();
  --open_;
}

// What lies before the oldest message in flight can confirm nothing.
void InFlight::trim() {
  while (!log_.empty() && !log_.front().open) log_.pop_front();
}

}  // namespace sse::hub
