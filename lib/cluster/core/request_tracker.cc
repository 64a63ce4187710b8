#include "cluster/core/request_tracker.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "observe/barrier.h"

namespace sse::cluster {
namespace {

// How late a timeout may be noticed, so that no thread is woken for each of thousands of calls that complete in time.
constexpr std::chrono::milliseconds kTick{10};
constexpr std::chrono::milliseconds kLinger{500};

}  // namespace

class RequestTracker::Waiter final : public PendingCall {
 public:
  Waiter(RequestTracker& tracker, std::uint64_t first) : tracker_(tracker), first_(first) {}
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  ~Waiter() override {
    if (!handed_on_) tracker_.forget(first_);
  }

  std::vector<Replies> wait(std::chrono::milliseconds timeout) override { return tracker_.wait(first_, timeout); }
  void then(std::chrono::milliseconds timeout, Done done) override {
    handed_on_ = true;
    tracker_.then(first_, timeout, std::move(done));
  }

 private:
  RequestTracker& tracker_;
  const std::uint64_t first_;
  bool handed_on_ = false;
};

bool RequestTracker::Slot::complete() const {
  if (!answers.failure.empty()) return true;
  return reached && (given_up || reply_count() + lost >= *reached);
}

Replies RequestTracker::Slot::take() {
  if (answers.failure.empty() && !reached) {
    answers.failure = "it was not known in time whether the command was sent";
  } else if (reached && *reached > reply_count()) {
    answers.silent = *reached - reply_count();
    for (Expected& one : open) answers.missing.push_back(std::move(one.name));
  } else {
    answers.missing.clear();
  }
  return std::move(answers);
}

void RequestTracker::stop() {
  std::thread watcher;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    for (const Deadline& deadline : deadlines_) ready_.push_back(deadline.first);
    deadlines_.clear();
    watcher = std::move(watcher_);
    deadline_changed_.notify_all();
  }
  run_ready();
  if (watcher.joinable()) watcher.join();
}

std::pair<std::uint64_t, std::shared_ptr<PendingCall>> RequestTracker::open(std::size_t count) {
  const MutexLock lock(mutex_);
  const std::uint64_t first = next_;
  // A call without commands gets its own number, too.
  next_ += std::max<std::size_t>(count, 1);
  Call& call = calls_[first];
  call.slots.resize(count);
  call.opened = clock_.steady_now();
  call.incomplete = count;
  return {first, std::make_shared<Waiter>(*this, first)};
}

template <class Change>
void RequestTracker::change(std::uint64_t number, Change change) {
  const MutexLock lock(mutex_);
  auto found = calls_.upper_bound(number);
  if (found == calls_.begin()) return;  // a reply that arrives too late, as below
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

void RequestTracker::reached(std::uint64_t number, std::size_t nodes) {
  change(number, [&](Slot& slot) { slot.reached = nodes; });
}

void RequestTracker::failed(std::uint64_t number, const std::string& why) {
  change(number, [&](Slot& slot) { slot.answers.failure = why; });
}

void RequestTracker::answered(std::uint64_t number, std::string node, std::string bytes) {
  change(number, [&](Slot& slot) { slot.answers.answers.push_back({std::move(node), std::move(bytes)}); });
}

void RequestTracker::give_up(std::uint64_t first, std::size_t count, const std::vector<std::string>& names) {
  for (std::uint64_t number = first; number < first + count; ++number) {
    change(number, [&](Slot& slot) {
      slot.given_up = true;
      slot.answers.missing = names;
    });
  }
}

void RequestTracker::echoed(std::uint64_t number) {
  change(number, [](Slot& slot) { slot.excused = 1; });
}

void RequestTracker::expect(std::uint64_t number, std::vector<Expected> nodes) {
  change(number, [&](Slot& slot) {
    slot.reached = nodes.size();
    slot.open = std::move(nodes);
  });
}

void RequestTracker::answered_by(const std::string& key, std::uint64_t number, std::string node, std::string bytes) {
  change(number, [&](Slot& slot) {
    if (std::erase_if(slot.open, [&](const Expected& one) { return one.key == key; }) != 0)
      slot.answers.answers.push_back({std::move(node), std::move(bytes)});
  });
}

void RequestTracker::excused(const std::string& key, std::uint64_t number) {
  change(number, [&](Slot& slot) {
    slot.excused += std::erase_if(slot.open, [&](const Expected& one) { return one.key == key; });
  });
}

void RequestTracker::lost(const std::string& key, std::uint64_t number) {
  change(number, [&](Slot& slot) {
    if (std::ranges::any_of(slot.open, [&](const Expected& one) { return one.key == key; })) ++slot.lost;
  });
}

std::vector<Replies> RequestTracker::take(std::uint64_t first) {
  std::vector<Replies> all;
  const auto found = calls_.find(first);
  if (found == calls_.end()) return all;
  all.reserve(found->second.slots.size());
  for (Slot& slot : found->second.slots) all.push_back(slot.take());
  calls_.erase(found);
  return all;
}

std::vector<Replies> RequestTracker::wait(std::uint64_t first, std::chrono::milliseconds timeout) {
  const MutexLock lock(mutex_);
  const auto found = calls_.find(first);
  if (found == calls_.end()) return {};
  // The entry exists until take(): only its own PendingCall waits for it or forgets it.
  Call& call = found->second;
  const SteadyTime deadline = call.opened + timeout;
  while (call.incomplete != 0 && call.changed.wait_until(mutex_, deadline, clock_)) {
  }
  return take(first);
}

void RequestTracker::then(std::uint64_t first, std::chrono::milliseconds timeout, Done done) {
  std::vector<Replies> answers;
  {
    const MutexLock lock(mutex_);
    Call& call = calls_.at(first);
    if (call.incomplete != 0 && !stopping_) {
      call.done = std::move(done);
      const Deadline mine{call.opened + timeout, first};
      drop_answered();
      deadlines_.insert(std::ranges::upper_bound(deadlines_, mine.when, {}, &Deadline::when), mine);
      used_ = true;
      if (!watcher_.joinable()) {
        watcher_ = std::thread([this] {
          pthread_setname_np(pthread_self(), "sse-timeouts");
          watch_deadlines();
        });
      } else if (mine.when < next_wakeup_) {
        deadline_changed_.notify_all();
      }
      return;
    }
    answers = take(first);
  }
  done(std::move(answers));
}

void RequestTracker::forget(std::uint64_t first) {
  const MutexLock lock(mutex_);
  calls_.erase(first);
}

void RequestTracker::drop_answered() {
  while (!deadlines_.empty() && !calls_.contains(deadlines_.front().first)) deadlines_.pop_front();
}

void RequestTracker::run_ready() {
  for (;;) {
    Done done;
    std::vector<Replies> answers;
    {
      const MutexLock lock(mutex_);
      if (ready_.empty()) return;
      const std::uint64_t first = ready_.front();
      ready_.pop_front();
      const auto found = calls_.find(first);
      if (found == calls_.end()) continue;  // it timed out at the same time
      done = std::move(found->second.done);
      answers = take(first);
    }
    observe::guarded("the replies of other nodes", [&] { done(std::move(answers)); });
  }
}

void RequestTracker::watch_deadlines() {
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
        // While calls arrive, the watcher wakes periodically; otherwise each call would have to wake it.
        next_wakeup_ = !deadlines_.empty()           ? std::max(deadlines_.front().when, now + kTick)
                       : std::exchange(used_, false) ? now + kLinger
                                                     : SteadyTime::max();
        if (next_wakeup_ == SteadyTime::max()) {
          deadline_changed_.wait(mutex_);
        } else {
          deadline_changed_.wait_until(mutex_, next_wakeup_, clock_);
        }
        continue;
      }
    }
    run_ready();
  }
}

}  // namespace sse::cluster
