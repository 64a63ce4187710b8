#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "delivery/confirmation_waiter.h"
#include "delivery/delivery_states.h"
#include "delivery/read_failure_log.h"
#include "delivery/send_path.h"
#include "delivery/send_request.h"
#include "delivery/trace.h"
#include "delivery/waiting_sends.h"
#include "store/message_repository.h"
#include "store/repository_abilities.h"

namespace sse::delivery {

/// Sends with qos that are answered when all recipients have confirmed. The ConfirmationWaiter collects confirmations
/// from loop threads; WaitingSends runs the checks that they cause, and ends waits in time. Thread safe.
class ConfirmedSends {
 public:
  /// All references must outlive this object.
  ConfirmedSends(ServiceName service, SendPath& path, store::MessageRepository& repository, Trace& trace,
                 DeliveryStates& delivery_states, ReadFailureLog& read_failures, const Clock& clock);
  ~ConfirmedSends() { stop(); }
  ConfirmedSends(const ConfirmedSends&) = delete;
  ConfirmedSends& operator=(const ConfirmedSends&) = delete;

  /// Like Sender::send_and_wait().
  SendResult send_and_wait(const SendRequest& request, std::chrono::milliseconds timeout);
  /// Like Sender::send_then_wait().
  void send_then_wait(const SendRequest& request, std::chrono::milliseconds timeout,
                      std::function<void(const SendResult&)> done);
  /// The number of senders that wait.
  std::size_t size() const { return waiting_sends_.size(); }

  /// A recipient has confirmed the message. For loop threads: takes no lock.
  void confirmed(event::TargetKind kind, std::string_view name, MessageId message) {
    confirmation_waiter_.confirmed(kind, name, message);
  }
  /// A recipient will not confirm the message. Not on a loop thread.
  void withdrawn(MessageId message) { waiting_sends_.confirmed(message); }
  /// Confirmations may have been missed. Not on a loop thread.
  void check_all() { waiting_sends_.check_all(); }

  /// Ends all waits, including future ones, with the states known by now.
  void cancel() { waiting_sends_.cancel(); }
  /// Like cancel(), and returns when all waits have ended. Idempotent.
  void stop() { waiting_sends_.stop(); }

 private:
  struct Awaited;
  using Recipients = std::unordered_set<store::Recipient, store::RecipientHash>;

  void require_room(std::size_t recipients) const;
  /// Fills in the recipients to wait for.
  void set_recipients(Awaited& awaited);
  /// How often to check, because another node may receive the confirmation; 0: never.
  std::chrono::milliseconds poll_interval() const;
  /// The WaitingSends::Check.
  bool check(Awaited& awaited, bool over);
  void report_states(const SendRequest& request, const std::vector<store::Recipient>& confirmed, SendResult& result);
  /// Those of `recipients` for which the message is pending, or the store cannot be read.
  Recipients pending_of(const std::vector<store::Recipient>& recipients, MessageId id);

  const ServiceName service_;
  SendPath& path_;
  store::SharedStore* const shared_store_;  // null: no other node changes it
  store::MessageRepository& own_store_;     // has everything added on this node
  Trace& trace_;
  DeliveryStates& delivery_states_;
  ReadFailureLog& read_failures_;
  const Clock& clock_;
  std::atomic<std::size_t> awaited_{0};  // recipients of waiting senders
  WaitingSends waiting_sends_;
  ConfirmationWaiter confirmation_waiter_;  // reports to waiting_sends_
};

}  // namespace sse::delivery
