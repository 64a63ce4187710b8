#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "delivery/message_repository.h"

namespace sse::delivery {

/// Threads that wait until a message is confirmed. Thread safe; confirmed() is for loop threads and costs one load
/// while nobody waits.
class Waits {
 public:
  /// `clock` outlives this; it ends the waits.
  explicit Waits(const Clock& clock = Clock::system()) : clock_(clock) {}

  /// One who waits. Made before the message can be confirmed, so that none is missed.
  class Wait {
   public:
    Wait(Waits& waits, MessageId message);
    ~Wait();
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;

    /// Blocks until `recipients` have confirmed, `deadline`, or cancel(). Returns those that have.
    std::vector<Recipient> until(const std::vector<Recipient>& recipients, SteadyTime deadline);

   private:
    Waits& waits_;
    const MessageId message_;
  };

  void confirmed(event::TargetKind kind, std::string_view name, MessageId message) EXCLUDES(mutex_);
  /// Ends all waits, also those to come.
  void cancel() EXCLUDES(mutex_);
  bool cancelled() const EXCLUDES(mutex_);

 private:
  struct Message {
    std::size_t waiters = 0;
    std::vector<Recipient> confirmed;
  };

  const Clock& clock_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::map<MessageId, Message> messages_ GUARDED_BY(mutex_);
  bool cancelled_ GUARDED_BY(mutex_) = false;
  std::atomic<std::size_t> waiting_{0};
};

}  // namespace sse::delivery
