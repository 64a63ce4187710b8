#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "store/message_repository.h"

namespace sse::delivery {

/// Lets callers wait until all recipients of a message have confirmed it. Thread safe.
///
/// confirmed() is for loop threads and takes no lock: it costs one load while there are no waits, two while there are
/// only waits for other messages, and otherwise pushes the confirmation onto a stack. A thread of this class, started
/// by the first wait, pops confirmations and wakes or reports the waits that are complete. Each confirmation is
/// processed once per wait for its message.
class ConfirmationWaiter {
 public:
  /// `clock` must outlive this object; deadlines refer to it.
  explicit ConfirmationWaiter(const Clock& clock = Clock::system()) : clock_(clock) {}
  /// REQUIRES: no Wait exists, and confirmed() is no longer called.
  ~ConfirmationWaiter();
  ConfirmationWaiter(const ConfirmationWaiter&) = delete;
  ConfirmationWaiter& operator=(const ConfirmationWaiter&) = delete;

  /// Sets a callback, so that no thread has to block in until(): `heard` is called for a message when all recipients
  /// missing in the latest until() of a Wait have confirmed; the next until() returns them. Called on the thread of
  /// this class, without its lock; must be quick and not throw. REQUIRES: no Wait exists yet.
  void report(std::function<void(MessageId)> on_complete) { on_complete_ = std::move(on_complete); }

  /// A wait for the confirmations of one message. Create it before the message can be confirmed, so that it misses no
  /// confirmation.
  class Wait {
   public:
    Wait(ConfirmationWaiter& waits, MessageId message);
    ~Wait();
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;

    /// Blocks until `recipients` have confirmed, `deadline`, or cancel(). Returns all recipients that have confirmed.
    std::vector<store::Recipient> until(const std::vector<store::Recipient>& recipients, SteadyTime deadline);

   private:
    friend class ConfirmationWaiter;
    ConfirmationWaiter& confirmation_waiter_;
    const MessageId message_;
    // Guarded by the mutex of confirmation_waiter_.
    std::unordered_set<store::Recipient, store::RecipientHash> missing_;
    CondVar changed_;
  };

  /// Starts the thread. Callers do so before sending, because it may throw: a message must not be sent when waiting for
  /// it is impossible. Idempotent.
  void start() EXCLUDES(mutex_);
  void confirmed(event::TargetKind kind, std::string_view name, MessageId message);
  /// Ends all waits, including future ones.
  void cancel() EXCLUDES(mutex_);

 private:
  struct Message {
    std::vector<Wait*> waiters;
    std::unordered_set<store::Recipient, store::RecipientHash> confirmed;
  };
  struct Confirmation {
    MessageId message;
    store::Recipient recipient;
    Confirmation* next = nullptr;
  };
  // Messages share slots, so that sometimes a confirmation is pushed without a wait for it.
  static constexpr std::size_t kSlots = 512;

  static std::size_t slot_of(MessageId message) { return (message.value() * 0x9E3779B97F4A7C15ULL) >> 55; }
  void run();
  void wake();
  void take_and_report() EXCLUDES(mutex_);
  void take_confirmations() REQUIRES(mutex_);
  void note(Confirmation& confirmation) REQUIRES(mutex_);

  const Clock& clock_;
  std::function<void(MessageId)> on_complete_;

  // Written by any thread.
  std::atomic<std::size_t> waiting_{0};
  std::array<std::atomic<std::uint32_t>, kSlots> waited_for_{};  // by slot_of()
  std::atomic<Confirmation*> confirmations_{nullptr};            // owned; latest first
  std::atomic<std::uint32_t> wakes_{0};
  std::atomic<bool> stopping_{false};

  Mutex mutex_;  // never taken on a loop thread
  std::unordered_map<MessageId, Message> messages_ GUARDED_BY(mutex_);
  std::vector<MessageId> complete_ GUARDED_BY(mutex_);  // to be reported
  bool cancelled_ GUARDED_BY(mutex_) = false;
  std::thread thread_ GUARDED_BY(mutex_);
};

}  // namespace sse::delivery
