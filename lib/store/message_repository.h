#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "base/units.h"
#include "event/target.h"
#include "store/payload.h"

namespace sse::observe {
class Counter;
}

namespace sse::store {

/// A recipient that a pending message is tracked for: a user, token, tenant or channel, or all (name empty).
struct Recipient {
  event::TargetKind kind = event::TargetKind::kAll;
  std::string name;

  friend bool operator==(const Recipient&, const Recipient&) = default;
};

struct RecipientHash {
  std::size_t operator()(const Recipient& recipient) const {
    return std::hash<std::string>{}(recipient.name) * 8 + static_cast<std::size_t>(recipient.kind);
  }
};

/// A message to store until its recipients confirm it (`send … --qos`).
struct NewMessage {
  ServiceName service;
  event::Target target;  ///< normalized; each name is tracked as its own recipient, kAll as one
  std::string event;
  std::string data;
  WallTime created;
  WallTime expires;
  std::string key{};  ///< not empty: another message with this key is a repeat of this one while its time to live lasts
  std::string collapse{};  ///< not empty: replaces the recipient's pending message with the same collapse key
  /// Valid: the message is imported, or requeued from the dead letters, for its one recipient, and had this id first;
  /// the `key` of an imported message names it, too. A pending message of the recipient with this id is the same
  /// message; a younger pending message with the same `collapse` stays. Both cases are answered as a repeat.
  MessageId original{};
  /// Valid: a repeat of this message, which another store has. Nothing is stored; it is answered as a repeat.
  MessageId repeats{};
  bool awaited = false;  ///< a sender waits for its confirmations, see report_settled()
  /// How many further ids to allocate, before and behind this one's, for events sent with it that are not stored.
  std::uint32_t ids_before = 0;
  std::uint32_t ids_behind = 0;
};

/// A recipient no longer has a message pending, without having confirmed it.
struct Withdrawn {
  enum class Why : unsigned char {
    kDeleted,   ///< by an operator
    kReplaced,  ///< by a younger message with the same NewMessage::collapse
    kExpired,
  };

  ServiceName service;
  Recipient recipient;
  MessageId id;
  Why why = Why::kDeleted;
};

/// A message one recipient has not confirmed yet.
struct PendingMessage {
  MessageId id;
  ServiceName service;
  Recipient recipient;
  bool listening = false;
  std::string event;
  Payload data;                 ///< left out where the call says so; rows of one message share it
  std::uint64_t data_size = 0;  ///< bytes, also where `data` was left out
  WallTime created;
  WallTime expires;
  std::string collapse{};
  MessageId original{};        ///< first id if imported or requeued, read with `data`; see NewMessage
  std::uint32_t attempts = 0;  ///< deliveries counted, see AttemptLog
  bool damaged = false;        ///< the data fails its checksum; only checked where `data` is read
};

/// The id of a message before it was imported or requeued from the dead letters.
inline MessageId first_id(const PendingMessage& message) {
  return message.original.valid() ? message.original : message.id;
}

/// The result of adding one message of several.
struct AddOutcome {
  using Refusal = ErrorInfo;

  MessageId id;                     ///< valid when it was stored
  bool repeated = false;            ///< its key was known: `id` is the first message's, nothing was stored or replaced;
                                    ///< see also NewMessage::original
  std::uint64_t pending = 0;        ///< recipients that have it pending
  std::optional<Refusal> refusal;   ///< set when this message alone was refused
  std::vector<MessageId> before{};  ///< of NewMessage::ids_before, also when the message itself was not stored
  std::vector<MessageId> behind{};  ///< of NewMessage::ids_behind
};

/// Not all pending messages could be read, because a node did not answer, was too busy or failed. The caller should
/// retry.
class PartialRead final : public Error {
 public:
  PartialRead(const std::string& why, std::vector<PendingMessage> found)
      : Error(ErrorCode::kUnavailable, why), found_(std::move(found)) {}

  /// The messages that could be read, as MessageRepository::pending() returns them.
  std::vector<PendingMessage> take() { return std::move(found_); }

 private:
  std::vector<PendingMessage> found_;
};

/// The next `count` ids, ascending.
std::vector<MessageId> next_ids(IdGenerator& ids, std::size_t count);

/// The store of messages accepted with QoS and not yet confirmed. Thread safe. A message that add() has returned an id
/// for survives `kill -9` in every implementation that uses a file.
///
/// Ids are allocated in commit order: once a reader has seen id N, no message with a smaller id appears later. A reader
/// that pages with `after` therefore misses nothing.
class MessageRepository {
 public:
  virtual ~MessageRepository() = default;

  /// Stores every message for each recipient of its target, in one commit and in order. Blocks until durable;
  /// concurrent calls share the commit. A message is refused alone, for all its recipients, with kLimitExceeded when
  /// one recipient or the whole store would exceed StoreLimits. Throws Error(kIo) when the store fails; nothing is
  /// stored then.
  virtual std::vector<AddOutcome> add_all(std::span<const NewMessage> messages) = 0;
  /// As add_all(). Calls `committed` once when everything is durable, before returning; not when it throws. The calls
  /// of several adds, including add_async(), run in the order of their ids where the store can tell. Runs on any
  /// thread; must be quick, not throw, and not call the repository.
  virtual std::vector<AddOutcome> add_in_order(std::span<const NewMessage> messages,
                                               const std::function<void()>& committed) {
    std::vector<AddOutcome> outcomes = add_all(messages);
    committed();
    return outcomes;
  }
  /// Adds one message; throws what add_all() would return as its refusal.
  MessageId add(const NewMessage& message);

  /// Receives the message passed to add_async() and its outcome; a failure of the store is a refusal, too. Called once,
  /// on a thread of the repository or of the caller, in the order of the ids; must be quick, not throw, and not call
  /// add() or add_all().
  using Added = std::function<void(NewMessage&& message, AddOutcome&& outcome)>;
  /// As add(), without waiting for the disk, for threads that must not block. False when the repository is closing;
  /// `added` is not called then. REQUIRES: adds_async().
  virtual bool add_async(NewMessage /*message*/, Added /*added*/) { return false; }  // NOLINT: others keep them
  /// Whether this implementation supports add_async().
  virtual bool adds_async() const { return false; }

  /// Removes a pair that the recipient has confirmed. Asynchronous: queued, durable shortly after; never blocks on the
  /// disk, so that loop threads may call it. Unknown pairs are ignored. A failure to write is reported through the
  /// implementation's error callback and retried; the message may then be delivered again.
  virtual void confirm(const ServiceName& service, const Recipient& recipient, MessageId id) = 0;

  /// Makes confirm() add to `counter` for every pair of the service it removes, and for no other: a message that was
  /// sent twice, or to two streams of its recipient, counts once. `counter` must outlive the repository's work; null
  /// stops counting. False when the implementation cannot count.
  virtual bool count_confirmed(const ServiceName& /*service*/, observe::Counter* /*counter*/) { return false; }

  /// Makes the repository call `withdraw` with the messages of the service that recipients no longer have pending for
  /// another reason than their confirmation. The call comes once the change is durable and before the caller that
  /// deleted or replaced them gets its answer, on that caller's thread or one of the repository's, one call at a time.
  /// It must be quick, and not call the repository. Empty stops the reports. Messages that other nodes withdraw from a
  /// shared store are not reported.
  using Withdraw = std::function<void(const std::vector<Withdrawn>&)>;
  virtual void report_withdrawn(const ServiceName& /*service*/, Withdraw /*withdraw*/) {}  // NOLINT: others keep it

  /// Makes the repository call `settled` for awaited messages (NewMessage::awaited) that a recipient no longer has
  /// pending, whichever node received the confirmation; pairs that confirm() removed on this node may be left out. An
  /// invalid message id means that reports may have been missed, so every waiter must query the store. Runs on a thread
  /// of the repository or of a caller; must be quick, and not call the repository. Empty stops the reports.
  using Settled = std::function<void(const Recipient& recipient, MessageId message)>;
  virtual void report_settled(const ServiceName& /*service*/, Settled /*settled*/) {}  // NOLINT: others keep it
  /// Whether it reports now. Where it does not and nodes share the store, a waiter must poll.
  virtual bool reports_settled() const { return false; }

  /// For each message, all imported (NewMessage::original) and for one recipient, the id of the stored message that
  /// add_all() would report it as a repeat of; not valid when add_all() would store it. Blocks on the store.
  virtual std::vector<MessageId> known_imports(std::span<const NewMessage> messages) {
    return std::vector<MessageId>(messages.size());
  }

  /// The result of replace_older().
  struct Replaced {
    std::uint64_t count = 0;  ///< messages withdrawn
    MessageId newer{};        ///< valid: the first id of a younger message, which stays
  };
  /// Withdraws the recipient's pending message with this collapse key when it is older than `than`, the first id of a
  /// message with that key in another store. Blocks on the store.
  virtual Replaced replace_older(const ServiceName& /*service*/, const Recipient& /*recipient*/,
                                 const std::string& /*collapse*/, MessageId /*than*/) {
    return {};
  }

  /// Unexpired messages of any of `recipients` with an id greater than `after`, ascending by id, with data. Returns at
  /// most `limit`, and stops once their data has reached the byte limit (but returns at least one if there is one and
  /// `limit` is not 0). A message that several of `recipients` have pending is returned once for each of them; these
  /// rows stay together even past the limits, so that paging with `after` skips none. Blocks on the store. Throws
  /// PartialRead, or another Error when nothing could be read.
  virtual std::vector<PendingMessage> pending(const ServiceName& service, std::span<const Recipient> recipients,
                                              MessageId after, std::size_t limit, ByteCount max_bytes,
                                              WallTime now) = 0;

  /// Moves messages that expired by `now` to the dead letters and returns how many (message, recipient) pairs that
  /// were. Blocks on the store.
  virtual std::uint64_t expire(WallTime now) = 0;

  /// (message, recipient) pairs pending now. Cheap: counted in memory.
  virtual std::uint64_t size() const = 0;

  /// Whether other nodes change this store, too, so that size() may lag behind.
  virtual bool shared() const { return false; }

  /// The repository that holds everything added on this node: this one, or its local part, which answers without other
  /// nodes.
  virtual MessageRepository& local() { return *this; }
};

/// How many times a pending message was written to a stream of a recipient.
struct AttemptCount {
  Recipient recipient;
  MessageId id;
  std::uint32_t attempts = 0;
};

/// Counts deliveries of pending messages.
class AttemptLog {
 public:
  virtual ~AttemptLog() = default;
  /// Adds to the stored counts. Asynchronous as MessageRepository::confirm(), but best effort: a failure is not
  /// reported.
  virtual void note_attempts(const ServiceName& service, std::span<const AttemptCount> attempts) = 0;
};

/// Which pending messages to show. Empty fields match everything.
struct MessageFilter {
  ServiceName service{};
  std::optional<event::TargetKind> kind{};
  std::string recipient{};
  std::string event{};
  MessageId after{};    ///< for the catalog: only larger ids
  MessageId message{};  ///< for dead letters: only those of this message, when valid
};

/// The operator's view of a repository; also works on a file without a server. Thread safe; blocks on the store.
class MessageCatalog {
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

}  // namespace sse::store
