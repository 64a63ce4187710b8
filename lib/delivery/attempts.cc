#include "delivery/attempts.h"

#include <utility>
#include <vector>

namespace sse::delivery {
namespace {

constexpr std::chrono::seconds kTimeout{1};
// Limits per thread.
constexpr std::size_t kMaxCounts = 10'000;
constexpr std::size_t kMaxCountedBytes = std::size_t{1} << 20;

}  // namespace

void Attempts::sent(event::TargetKind kind, std::string_view name, MessageId message) {
  if (log_ == nullptr) return;
  Counts late;
  counted_.mine([&](Counted& counted) {
    const SteadyTime now = clock_.steady_now();
    if (now >= counted.flush_at || counted.counts.size() >= kMaxCounts || counted.name_bytes >= kMaxCountedBytes) {
      late = std::exchange(counted.counts, {});
      counted.name_bytes = 0;
      counted.flush_at = now + kTimeout;
    }
    const auto [count, fresh] = counted.counts.try_emplace({message, kind, std::string(name)}, 0);
    ++count->second;
    if (fresh) counted.name_bytes += name.size();
  });
  write(late);
}

void Attempts::confirmed(event::TargetKind kind, std::string_view name, MessageId message) {
  if (log_ == nullptr) return;
  counted_.mine([&](Counted& counted) {
    if (counted.counts.erase({message, kind, std::string(name)}) != 0) counted.name_bytes -= name.size();
  });
}

void Attempts::flush() {
  if (log_ == nullptr) return;
  std::vector<Counts> all;
  counted_.each([&](Counted& counted) {
    if (!counted.counts.empty()) all.push_back(std::exchange(counted.counts, {}));
    counted.name_bytes = 0;
  });
  for (const Counts& counts : all) write(counts);
}

void Attempts::write(const Counts& counts) const {
  std::vector<store::AttemptCount> attempts;
  attempts.reserve(counts.size());
  for (const auto& [key, count] : counts) {
    const auto& [message, kind, name] = key;
    attempts.push_back({{kind, name}, message, count});
  }
  if (!attempts.empty()) log_->note_attempts(service_, attempts);
}

}  // namespace sse::delivery
