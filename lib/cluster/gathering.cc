#include "cluster/gathering.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"

namespace sse::cluster {

class Gathering::Waiter final : public Asked {
 public:
  Waiter(Gathering& gathering, std::uint64_t first, std::size_t count)
      : gathering_(gathering), first_(first), count_(count) {}
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  ~Waiter() override { gathering_.forget(first_, count_); }

  std::vector<Answers> wait(std::chrono::milliseconds patience) override {
    return gathering_.wait(first_, count_, patience);
  }

 private:
  Gathering& gathering_;
  const std::uint64_t first_;
  const std::size_t count_;
};

bool Gathering::Slot::complete() const {
  if (!answers.failure.empty()) return true;
  return reached && heard() + lost >= *reached;
}

std::pair<std::uint64_t, std::shared_ptr<Asked>> Gathering::open(std::size_t count) {
  const MutexLock lock(mutex_);
  const std::uint64_t first = next_;
  next_ += count;
  for (std::size_t i = 0; i < count; ++i) slots_.try_emplace(first + i);
  return {first, std::make_shared<Waiter>(*this, first, count)};
}

template <class Change>
void Gathering::change(std::uint64_t number, Change change) {
  const MutexLock lock(mutex_);
  const auto found = slots_.find(number);
  if (found == slots_.end()) return;  // an answer that comes too late
  change(found->second);
  if (found->second.complete()) changed_.notify_all();
}

void Gathering::reached(std::uint64_t number, std::size_t nodes) {
  change(number, [&](Slot& slot) { slot.reached = nodes; });
}

void Gathering::failed(std::uint64_t number, const std::string& why) {
  change(number, [&](Slot& slot) { slot.answers.failure = why; });
}

void Gathering::answered(std::uint64_t number, std::string node, std::string bytes) {
  change(number, [&](Slot& slot) { slot.answers.answers.push_back({std::move(node), std::move(bytes)}); });
}

void Gathering::came_back(std::uint64_t number) {
  change(number, [](Slot& slot) { slot.excused = 1; });
}

void Gathering::expect(std::uint64_t number, std::vector<Expected> nodes) {
  change(number, [&](Slot& slot) {
    slot.reached = nodes.size();
    slot.open = std::move(nodes);
  });
}

void Gathering::answered_by(const std::string& key, std::uint64_t number, std::string node, std::string bytes) {
  change(number, [&](Slot& slot) {
    if (std::erase_if(slot.open, [&](const Expected& one) { return one.key == key; }) != 0)
      slot.answers.answers.push_back({std::move(node), std::move(bytes)});
  });
}

void Gathering::excused(const std::string& key, std::uint64_t number) {
  change(number, [&](Slot& slot) {
    slot.excused += std::erase_if(slot.open, [&](const Expected& one) { return one.key == key; });
  });
}

void Gathering::lost(const std::string& key, std::uint64_t number) {
  change(number, [&](Slot& slot) {
    if (std::ranges::any_of(slot.open, [&](const Expected& one) { return one.key == key; })) ++slot.lost;
  });
}

std::vector<Answers> Gathering::wait(std::uint64_t first, std::size_t count, std::chrono::milliseconds patience) {
  const SteadyTime deadline = steady_now() + patience;
  std::vector<Answers> all;
  all.reserve(count);
  const MutexLock lock(mutex_);
  for (std::uint64_t number = first; number < first + count; ++number) {
    while (!slots_[number].complete()) {
      if (!changed_.wait_until(mutex_, deadline)) break;
    }
    Slot& slot = slots_[number];
    const std::size_t heard = slot.heard();
    if (slot.answers.failure.empty() && !slot.reached) {
      slot.answers.failure = "it was not known in time whether it got out";
    } else if (slot.reached && *slot.reached > heard) {
      slot.answers.silent = *slot.reached - heard;
      for (Expected& one : slot.open) slot.answers.missing.push_back(std::move(one.name));
    }
    all.push_back(std::move(slot.answers));
    slots_.erase(number);
  }
  return all;
}

void Gathering::forget(std::uint64_t first, std::size_t count) {
  const MutexLock lock(mutex_);
  for (std::uint64_t number = first; number < first + count; ++number) slots_.erase(number);
}

}  // namespace sse::cluster
