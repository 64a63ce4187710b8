#include "delivery/attempts.h"

#include <utility>
#include <vector>

namespace sse::delivery {
namespace {

constexpr std::chrono::seconds kPatience{1};
constexpr std::size_t kMaxCounts = 20'000;

}  // namespace

void Attempts::sent(event::TargetKind kind, std::string_view name, MessageId message) {
  if (log_ == nullptr) return;
  Counts late;
  {
    MutexLock lock(mutex_);
    const SteadyTime now = clock_.steady_now();
    if (now >= flush_at_ || counts_.size() >= kMaxCounts) {
      late = std::exchange(counts_, {});
      flush_at_ = now + kPatience;
    }
    ++counts_[{message, kind, std::string(name)}];
  }
  write(late);
}

void Attempts::confirmed(event::TargetKind kind, std::string_view name, MessageId message) {
  if (log_ == nullptr) return;
  MutexLock lock(mutex_);
  counts_.erase({message, kind, std::string(name)});
}

void Attempts::flush() {
  if (log_ == nullptr) return;
  Counts all;
  {
    MutexLock lock(mutex_);
    all = std::exchange(counts_, {});
  }
  write(all);
}

void Attempts::write(const Counts& counts) const {
  std::vector<Attempted> attempts;
  attempts.reserve(counts.size());
  for (const auto& [key, count] : counts) {
    const auto& [message, kind, name] = key;
    attempts.push_back({{kind, name}, message, count});
  }
  if (!attempts.empty()) log_->note_attempts(service_, attempts);
}

}  // namespace sse::delivery
