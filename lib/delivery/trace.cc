#include "delivery/trace.h"

#include <array>
#include <utility>

namespace sse::delivery {

std::string_view what_name(Trace::What what) {
  static constexpr std::array<std::string_view, 8> kNames{"accepted",  "committed", "repeated", "sent",
                                                          "confirmed", "expired",   "deleted",  "retried"};
  return kNames.at(static_cast<std::size_t>(what));
}

void Trace::add(Entry entry) {
  MutexLock lock(mutex_);
  if (ring_.size() < most_) {
    ring_.push_back(std::move(entry));
    return;
  }
  ring_[next_] = std::move(entry);
  next_ = (next_ + 1) % most_;
}

std::vector<Trace::Entry> Trace::of(MessageId message) const {
  std::vector<Entry> found;
  MutexLock lock(mutex_);
  for (std::size_t i = 0; i < ring_.size(); ++i) {
    const Entry& entry = ring_[(next_ + i) % ring_.size()];
    if (entry.message == message) found.push_back(entry);
  }
  return found;
}

}  // namespace sse::delivery
