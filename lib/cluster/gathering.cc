#include "cluster/gathering.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "observe/barrier.h"

namespace sse::cluster {
namespace {

// How late the end of a patience may be noticed: nobody is woken for each of thousands that are answered in time.
constexpr std::chrono::milliseconds kTick{10};
constexpr std::chrono::milliseconds kLinger{500};

}  // namespace

class Gathering::Waiter final : public Asked {
 public:
  Waiter(Gathering& gathering, std::uint64_t first) : gathering_(gathering), first_(first) {}
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  ~Waiter() override {
    if (!handed_on_) gathering_.forget(first_);
  }

  std::vector<Answers> wait(std::chrono::milliseconds patience) override { return gathering_.wait(first_, patience); }
  void then(std::chrono::milliseconds patience, Done done) override {
    handed_on_ = true;
    gathering_.then(first_, patience, std::move(done));
  }

 private:
  Gathering& gathering_;
  const std::uint64_t first_;
  bool handed_on_ = false;
};

bool Gathering::Slot::complete() const {
  if (!answers.failure.empty()) return true;
  return reached && (given_up || heard() + lost >= *reached);
}

Answers Gathering::Slot::take() {
  if (answers.failure.empty() && !reached) {
    answers.failure = "it was not known in time whether it got out";
  } else if (reached && *reached > heard()) {
    answers.silent = *reached - heard();
    for (Expected& one : open) answers.missing.push_back(std::move(one.name));
  } else {
    answers.missing.clear();
  }
  return std::move(answers);
}

void Gathering::stop() {
  std::thread watcher;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    for (const Deadline& deadline : deadlines_) ready_.push_back(deadline.first);
    deadlines_.clear();
    watcher = std::move(watcher_);
    hurry_.notify_all();
  }
  run_ready();
  if (watcher.joinable()) watcher.join();
}

std::pair<std::uint64_t, std::shared_ptr<Asked>> Gathering::open(std::size_t count) {
  const MutexLock lock(mutex_);
  const std::uint64_t first = next_;
  // Also where nothing is asked the number is its own.
  next_ += std::max<std::size_t>(count, 1);
  Call& call = calls_[first];
  call.slots.resize(count);
  call.opened = clock_.steady_now();
  call.incomplete = count;
  return {first, std::make_shared<Waiter>(*this, first)};
}

template <class Change>
void Gathering::change(std::uint64_t number, Change change) {
  const MutexLock lock(mutex_);
  auto found = calls_.upper_bound(number);
  if (found == calls_.begin()) return;  // an answer that comes too late, as below
  --found;
  Call& call = found->second;
  const std::uint64_t index = number - found->first;
  if (index >= call.slots.size()) return;
  Slot& slot = call.slots[index];
  const bool was = slot.complete();
  change(slot);
  if (was || !slot.complete() || --call.incomplete != 0) return;
  if (call.done) {
    ready_.push_back(found->first);
  } else {
    call.changed.notify_all();
  }
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

void Gathering::give_up(std::uint64_t first, std::size_t count, const std::vector<std::string>& names) {
  for (std::uint64_t number = first; number < first + count; ++number) {
    change(number, [&](Slot& slot) {
      slot.given_up = true;
      slot.answers.missing = names;
    });
  }
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

std::vector<Answers> Gathering::take(std::uint64_t first) {
  std::vector<Answers> all;
  const auto found = calls_.find(first);
  if (found == calls_.end()) return all;
  all.reserve(found->second.slots.size());
  for (Slot& slot : found->second.slots) all.push_back(slot.take());
  calls_.erase(found);
  return all;
}

std::vector<Answers> Gathering::wait(std::uint64_t first, std::chrono::milliseconds patience) {
  const MutexLock lock(mutex_);
  const auto found = calls_.find(first);
  if (found == calls_.end()) return {};
  // Stays until take(): only its own Asked waits for it or forgets it.
  Call& call = found->second;
  const SteadyTime deadline = call.opened + patience;
  while (call.incomplete != 0 && call.changed.wait_until(mutex_, deadline, clock_)) {
  }
  return take(first);
}

void Gathering::then(std::uint64_t first, std::chrono::milliseconds patience, Done done) {
  std::vector<Answers> answers;
  {
    const MutexLock lock(mutex_);
    Call& call = calls_.at(first);
    if (call.incomplete != 0 && !stopping_) {
      call.done = std::move(done);
      const Deadline mine{call.opened + patience, first};
      drop_answered();
      deadlines_.insert(std::ranges::upper_bound(deadlines_, mine.when, {}, &Deadline::when), mine);
      used_ = true;
      if (!watcher_.joinable()) {
        watcher_ = std::thread([this] {
          pthread_setname_np(pthread_self(), "sse-patience");
          watch_deadlines();
        });
      } else if (mine.when < wakes_) {
        hurry_.notify_all();
      }
      return;
    }
    answers = take(first);
  }
  done(std::move(answers));
}

void Gathering::forget(std::uint64_t first) {
  const MutexLock lock(mutex_);
  calls_.erase(first);
}

void Gathering::drop_answered() {
  while (!deadlines_.empty() && !calls_.contains(deadlines_.front().first)) deadlines_.pop_front();
}

void Gathering::run_ready() {
  for (;;) {
    Done done;
    std::vector<Answers> answers;
    {
      const MutexLock lock(mutex_);
      if (ready_.empty()) return;
      const std::uint64_t first = ready_.front();
      ready_.pop_front();
      const auto found = calls_.find(first);
      if (found == calls_.end()) continue;  // its patience was over at the same time
      done = std::move(found->second.done);
      answers = take(first);
    }
    observe::guarded("the answers of other nodes", [&] { done(std::move(answers)); });
  }
}

void Gathering::watch_deadlines() {
  for (;;) {
    {
      const MutexLock lock(mutex_);
      if (stopping_) return;
      drop_answered();
      const SteadyTime now = clock_.steady_now();
      while (!deadlines_.empty() && deadlines_.front().when <= now) {
        ready_.push_back(deadlines_.front().first);
        deadlines_.pop_front();
      }
      if (ready_.empty()) {
        // While calls come, it wakes by itself now and then; otherwise each call would have to wake it.
        wakes_ = !deadlines_.empty()           ? std::max(deadlines_.front().when, now + kTick)
                 : std::exchange(used_, false) ? now + kLinger
                                               : SteadyTime::max();
        if (wakes_ == SteadyTime::max()) {
          hurry_.wait(mutex_);
        } else {
          hurry_.wait_until(mutex_, wakes_, clock_);
        }
        continue;
      }
    }
    run_ready();
  }
}

}  // namespace sse::cluster
