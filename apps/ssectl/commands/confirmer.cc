#include "ssectl/commands/confirmer.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

namespace sse::ctl {
namespace {

constexpr std::size_t kMaxUnconfirmed = 10'000;
constexpr std::size_t kMaxInCall = 1000;
constexpr std::chrono::milliseconds kFirstPause{200};
constexpr std::chrono::milliseconds kLongestPause{2000};

}  // namespace

Confirmer::Confirmer(Confirm confirm, const Clock& clock)
    : confirm_(std::move(confirm)), clock_(clock), thread_([this] { run(); }) {}

Confirmer::~Confirmer() {
  finish();
}

void Confirmer::opened(const std::string& connection, bool expects_confirmations) {
  const MutexLock lock(mutex_);
  connection_ = connection;
  expects_confirmations_ = expects_confirmations;
  changed_.notify_all();
}

void Confirmer::confirm(const std::string& id) {
  const MutexLock lock(mutex_);
  if (!expects_confirmations_) return;
  unconfirmed_.push_back(id);
  // Dropping the oldest is safe: the server redelivers unconfirmed messages.
  if (unconfirmed_.size() > kMaxUnconfirmed) unconfirmed_.pop_front();
  changed_.notify_all();
}

void Confirmer::finish() {
  {
    const MutexLock lock(mutex_);
    finishing_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Confirmer::run() {
  std::chrono::milliseconds pause = kFirstPause;
  for (;;) {
    std::vector<std::string> ids;
    std::string connection;
    bool finishing = false;
    {
      const MutexLock lock(mutex_);
      while (unconfirmed_.empty() && !finishing_) changed_.wait(mutex_);
      if (unconfirmed_.empty()) return;
      finishing = finishing_;
      connection = connection_;
      ids.assign(unconfirmed_.begin(),
                 unconfirmed_.begin() + static_cast<std::ptrdiff_t>(std::min(unconfirmed_.size(), kMaxInCall)));
    }
    const bool accepted = confirm_(connection, ids);
    const MutexLock lock(mutex_);
    if (accepted) {
      for (const std::string& id : ids) {
        if (!unconfirmed_.empty() && unconfirmed_.front() == id) unconfirmed_.pop_front();
      }
      pause = kFirstPause;
      continue;
    }
    // The end of the program waits for one more attempt only.
    if (finishing) return;
    const SteadyTime again = clock_.steady_now() + pause;
    pause = std::min(pause * 2, kLongestPause);
    while (!finishing_ && changed_.wait_until(mutex_, again, clock_)) {
    }
  }
}

}  // namespace sse::ctl
