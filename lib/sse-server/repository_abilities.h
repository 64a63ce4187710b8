#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sse-server/export.h"
#include "sse-server/ids.h"
#include "sse-server/message_repository.h"
#include "sse-server/target.h"

/// What a MessageRepository may be able to do in addition. A class that can derives from the interface, too; the server
/// finds out with ability(), once. Thread safe like the repository.
namespace sse {

/// The repository as the interface `Ability`; null when it does not implement it.
template <class Ability>
Ability* ability(MessageRepository& repository) {
  return dynamic_cast<Ability*>(&repository);
}

/// Adds messages without waiting for the disk. Without it, each send with qos occupies a thread while it waits.
class SSE_API AsyncAdd {
 public:
  virtual ~AsyncAdd() = default;
  /// Receives the message passed to add_async() and its outcome; a failure of the store is a refusal, too. Called once,
  /// on a thread of the repository or of the caller, in the order of the ids; it is quick, does not throw, and does not
  /// add messages.
  using Added = std::function<void(NewMessage&& message, AddOutcome&& outcome)>;
  /// As MessageRepository::add_in_order() for one message, for threads that must not block. False when the repository
  /// is closing; `added` is not called then.
  virtual bool add_async(NewMessage message, Added added) = 0;
};

/// A recipient no longer has a message pending, without having confirmed it.
struct Withdrawn {
  /// The reason.
  enum class Why : unsigned char {
    kDeleted,   ///< by an operator
    kReplaced,  ///< by a younger message with the same NewMessage::collapse
    kExpired,   ///< its time to live has passed
  };

  ServiceName service;      ///< of the message
  Recipient recipient;      ///< no longer has it
  MessageId id;             ///< of the message
  Why why = Why::kDeleted;  ///< the reason
};

/// Reports withdrawn messages. Without it, a client that resumes with a history may still get such a message, and a
/// sender that waits for its confirmation learns of it at the end of its timeout.
class SSE_API WithdrawalReports {
 public:
  virtual ~WithdrawalReports() = default;
  /// Receives withdrawn messages.
  using Withdraw = std::function<void(const std::vector<Withdrawn>&)>;
  /// Makes the repository call `withdraw` with the messages of the service that recipients no longer have pending for
  /// another reason than their confirmation. The call comes once the change is durable and before the caller that
  /// deleted or replaced them gets its answer, on that caller's thread or one of the repository's, one call at a time.
  /// It is quick, and does not call the repository. Empty stops the reports. Messages that other nodes withdraw from a
  /// shared store are not reported.
  virtual void report_withdrawn(const ServiceName& service, Withdraw withdraw) = 0;
};

/// How many times a pending message was written to a stream of a recipient.
struct AttemptCount {
  Recipient recipient;         ///< has it pending
  MessageId id;                ///< of the message
  std::uint32_t attempts = 0;  ///< since the last report
};

/// Counts deliveries of pending messages.
class SSE_API AttemptLog {
 public:
  virtual ~AttemptLog() = default;
  /// Adds to the stored counts. Asynchronous as MessageRepository::confirm(), but best effort: a failure is not
  /// reported.
  virtual void note_attempts(const ServiceName& service, std::span<const AttemptCount> attempts) = 0;
};

/// Which pending messages to show. Empty fields match everything.
struct MessageFilter {
  ServiceName service{};             ///< of the message
  std::optional<TargetKind> kind{};  ///< of the recipient
  std::string recipient{};           ///< its name
  std::string event{};               ///< event name
  MessageId after{};                 ///< for the catalog: only larger ids
  MessageId message{};               ///< for dead letters: only those of this message, when valid
};

/// The operator's view of a repository (`ssectl messages`); blocks on the store.
class SSE_API MessageCatalog {
 public:
  virtual ~MessageCatalog() = default;

  /// How many pairs match, expired ones included.
  virtual std::uint64_t count(const MessageFilter& filter) = 0;
  /// Matching pairs, ascending by id, then recipient; skips the first `skip`, returns at most `limit`, without data.
  virtual std::vector<PendingMessage> list(const MessageFilter& filter, std::uint64_t skip, std::size_t limit) = 0;
  /// One row for every recipient that still has the message pending; all share its data. Empty when the id is unknown.
  virtual std::vector<PendingMessage> find(MessageId id) = 0;
  /// The rows of several messages in one query. REQUIRES: `ids` ascending.
  virtual std::vector<PendingMessage> find_all(std::span<const MessageId> ids) {
    std::vector<PendingMessage> all;
    for (const MessageId id : ids) {
      for (PendingMessage& row : find(id)) all.push_back(std::move(row));
    }
    return all;
  }
  /// Deletes the message for all its recipients, durable on return; returns how many pairs that were. Throws
  /// Error(kPermissionDenied) on a read-only catalog.
  virtual std::uint64_t erase(MessageId id) = 0;
  /// Deletes all matching pairs, as erase(). Messages that are added meanwhile may stay.
  virtual std::uint64_t purge(const MessageFilter& filter) = 0;
};

}  // namespace sse
