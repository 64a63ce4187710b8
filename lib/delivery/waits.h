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
#include "delivery/message_repository.h"

namespace sse::delivery {

/// Those who wait until a message is confirmed. Thread safe.
///
/// confirmed() is for loop threads and takes no lock: it costs one load while nobody waits, two while others wait, and
/// pushes what somebody may wait for onto a stack. A thread of this class takes that from there, and wakes or reports
/// who has nothing more to wait for; it is started by the first who waits. Each confirmation is looked at once for each
/// who waits for its message.
class Waits {
 public:
  /// `clock` outlives this; it ends the waits.
  explicit Waits(const Clock& clock = Clock::system()) : clock_(clock) {}
  /// REQUIRES: nobody waits, and confirmed() is not called any more.
  ~Waits();
  Waits(const Waits&) = delete;
  Waits& operator=(const Waits&) = delete;

  /// `heard` is told of a message when all have confirmed it that the latest until() of one who waits asked for and
  /// missed; the next one knows of them. So no thread has to wait there. Called on the thread of this class, without
  /// its lock; must be quick and not throw. Before anybody waits.
  void report(std::function<void(MessageId)> heard) { heard_ = std::move(heard); }

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
    friend class Waits;
    Waits& waits_;
    const MessageId message_;
    // Guarded by the mutex of waits_.
    std::unordered_set<Recipient, RecipientHash> missing_;
    CondVar changed_;
  };

  /// What a Wait needs: throws before somebody has sent what nobody could wait for. Idempotent.
  void start() EXCLUDES(mutex_);
  void confirmed(event::TargetKind kind, std::string_view name, MessageId message);
  /// Ends all waits, also those to come.
  void cancel() EXCLUDES(mutex_);

 private:
  struct Message {
    std::vector<Wait*> waiters;
    std::unordered_set<Recipient, RecipientHash> confirmed;
  };
  struct Confirmation {
    MessageId message;
    Recipient recipient;
    Confirmation* next = nullptr;
  };
  // Messages share a slot: now and then a confirmation is pushed that nobody waits for.
  static constexpr std::size_t kSlots = 512;

  static std::size_t slot_of(MessageId message) { return (message.value() * 0x9E3779B97F4A7C15ULL) >> 55; }
  void run();
  void wake();
  void take_and_report() EXCLUDES(mutex_);
  void take_confirmations() REQUIRES(mutex_);
  void note(Confirmation& confirmation) REQUIRES(mutex_);

  const Clock& clock_;
  std::function<void(MessageId)> heard_;

  // Written by any thread.
  std::atomic<std::size_t> waiting_{0};
  std::array<std::atomic<std::uint32_t>, kSlots> waited_for_{};  // by slot_of()
  std::atomic<Confirmation*> confirmations_{nullptr};            // owned; the latest first
  std::atomic<std::uint32_t> wakes_{0};
  std::atomic<bool> stopping_{false};

  Mutex mutex_;  // never taken on a loop thread
  std::unordered_map<MessageId, Message> messages_ GUARDED_BY(mutex_);
  std::vector<MessageId> complete_ GUARDED_BY(mutex_);  // to be reported
  bool cancelled_ GUARDED_BY(mutex_) = false;
  std::thread thread_ GUARDED_BY(mutex_);
};

}  // namespace sse::delivery
