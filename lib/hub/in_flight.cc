#include "hub/in_flight.h"

#include <algorithm>
#include <utility>

#include "base/step_count.h"

namespace sse::hub {
namespace {

// Maximum length of the log before it stops recording at-most-once events, behind a message that is never confirmed. A
// last event id beyond these confirms nothing; the worst effect is a message sent twice.
constexpr std::size_t kMaxEvents = 16'384;
constexpr int kMaxDoublings = 3;
// Approximate memory of an event in the log, and of an entry of the table with its node.
constexpr std::size_t kEventBytes = 32;
constexpr std::size_t kTableBytes = 48;

}  // namespace

void InFlight::sent(std::uint64_t event) {
  if (open_ == 0 || event == 0 || log_.size() >= kMaxEvents) return;
  append({event, SteadyTime::max()});
}

void InFlight::append(const Event& event) {
  if (log_.empty()) {
    ascending_ = true;
    last_.clear();
  } else if (ascending_ && event.id <= log_.back().id) {
    ascending_ = false;
    count_steps(log_.size());
    for (std::size_t i = 0; i < log_.size(); ++i) last_[log_[i].id] = first_ + i;
  }
  log_.push_back(event);
  if (!ascending_) last_[event.id] = first_ + log_.size() - 1;
}

std::size_t InFlight::memory_bytes() const {
  return log_.size() * kEventBytes + last_.size() * kTableBytes;
}

int InFlight::sent(MessageId message, event::TargetKind recipient, SteadyTime now, std::chrono::milliseconds timeout) {
  std::uint8_t sends = 1;
  if (const auto known = find_open(message); known != log_.end()) {
    sends = static_cast<std::uint8_t>(std::min(known->sends + 1, 100));
    // The message keeps its first position: a client that reports the first copy has received everything before it.
    known->sends = sends;
    if (timeout.count() != 0) known->due = now + timeout * (1 << std::min(sends - 1, kMaxDoublings));
    next_due_ = std::min(next_due_, known->due);
    return sends;
  }
  const SteadyTime due = timeout.count() == 0 ? SteadyTime::max() : now + timeout;
  append({message.value(), due, recipient, sends, true});
  ++open_;
  largest_ = std::max(largest_, message.value());
  next_due_ = std::min(next_due_, due);
  return sends;
}

std::optional<InFlight::Entry> InFlight::confirm(MessageId message) {
  const std::optional<Entry> confirmed = remove(message);
  if (confirmed) note_confirmation();
  return confirmed;
}

std::optional<InFlight::Entry> InFlight::remove(MessageId message) {
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
  if (find(id) == log_.end()) return confirmed;
  // Stop at the first event with the id: a message may have been sent again after it was confirmed. All events before
  // it are closed, and trim() removes them.
  for (Event& event : log_) {
    count_steps();
    if (event.open) {
      confirmed.push_back({MessageId(event.id), event.recipient});
      close(event);
    }
    if (event.id == id) break;
  }
  if (!confirmed.empty()) note_confirmation();
  trim();
  return confirmed;
}

bool InFlight::contains(MessageId message) const {
  return find_open(message) != log_.end();
}

void InFlight::list(std::vector<MessageId>& messages) const {
  count_steps(log_.size());
  for (const Event& event : log_) {
    if (event.open) messages.push_back(MessageId(event.id));
  }
}

std::vector<MessageId> InFlight::due(SteadyTime now) {
  std::vector<MessageId> late;
  next_due_ = SteadyTime::max();
  count_steps(log_.size());
  for (const Event& event : log_) {
    if (!event.open) continue;
    if (event.due <= now) late.push_back(MessageId(event.id));
    next_due_ = std::min(next_due_, event.due);
  }
  if (!late.empty() && silent_rounds_ < UINT8_MAX) ++silent_rounds_;
  std::ranges::sort(late);
  return late;
}

// The last event with the id.
std::deque<InFlight::Event>::const_iterator InFlight::find(std::uint64_t id) const {
  count_steps();
  if (!ascending_) {
    const auto known = last_.find(id);
    if (known == last_.end()) return log_.end();
    return log_.begin() + static_cast<std::ptrdiff_t>(known->second - first_);
  }
  const auto at = std::ranges::lower_bound(log_, id, {}, &Event::id);
  return at != log_.end() && at->id == id ? at : log_.end();
}

// Of several events with the id only the last can be open.
std::deque<InFlight::Event>::const_iterator InFlight::find_open(MessageId message) const {
  // Replays are ascending, so that most ids looked up are greater than any in the log.
  if (message.value() > largest_) return log_.end();
  const auto at = find(message.value());
  return at != log_.end() && at->open ? at : log_.end();
}

std::deque<InFlight::Event>::iterator InFlight::find_open(MessageId message) {
  return log_.begin() + (std::as_const(*this).find_open(message) - log_.cbegin());
}

void InFlight::close(Event& event) {
  event.open = false;
  event.due = SteadyTime::max();
  --open_;
}

void InFlight::note_confirmation() {
  expects_confirmation_ = false;
  silent_rounds_ = 0;
}

// Events before the oldest message in flight are not needed to confirm anything.
void InFlight::trim() {
  while (!log_.empty() && !log_.front().open) {
    if (!ascending_) {
      const auto known = last_.find(log_.front().id);
      if (known->second == first_) last_.erase(known);
    }
    log_.pop_front();
    ++first_;
    count_steps();
  }
}

}  // namespace sse::hub
