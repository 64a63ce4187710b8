#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sse-server/error.h"
#include "sse-server/export.h"
#include "sse-server/ids.h"
#include "sse-server/payload.h"
#include "sse-server/target.h"
#include "sse-server/units.h"

namespace sse {

/// A recipient that a pending message is tracked for: a user, token, tenant or channel, or all (name empty).
struct Recipient {
  TargetKind kind = TargetKind::kAll;  ///< what `name` is
  std::string name;                    ///< as in Target::names; empty for kAll

  /// Compares both.
  friend bool operator==(const Recipient&, const Recipient&) = default;
};

/// A message to store until its recipients confirm it (SendRequest::qos). What a repository may leave undone says so.
struct NewMessage {
  ServiceName service;  ///< the service it was sent to
  Target target;        ///< normalized; each name is tracked as its own recipient, kAll as one
  std::string event;    ///< event name
  std::string data;     ///< UTF-8 text
  WallTime created;     ///< when it was sent
  WallTime expires;     ///< from then on it is no longer delivered
  /// Not empty: another message with this key is a repeat of this one while its time to live lasts. A repository that
  /// ignores it stores the repeat.
  std::string key{};
  /// Not empty: replaces the recipient's pending message with the same collapse key. A repository that ignores it
  /// retains both.
  std::string collapse{};
  /// Valid: the message is imported, or requeued from the dead letters, for its one recipient, and had this id first;
  /// the `key` of an imported message names it, too. A pending message of the recipient with this id is the same
  /// message; a younger pending message with the same `collapse` stays. Both cases are answered as a repeat. May be
  /// ignored.
  MessageId original{};
  /// Valid: a repeat of this message, which another store has. Nothing is stored; it is answered as a repeat. Only
  /// stores that are a part of a cluster's get it.
  MessageId repeats{};
  bool awaited = false;  ///< a sender waits for its confirmations; for stores that several nodes share
  /// How many further ids to allocate, before and behind this one's, for events sent with it that are not stored. A
  /// repository that ignores it lets the ids of such events be out of order.
  std::uint32_t ids_before = 0;
  std::uint32_t ids_behind = 0;  ///< see ids_before
  /// Further recipients of the message, of other kinds than `target` and each other: of users and tokens. Each name is
  /// tracked as its own recipient. Empty unless MessageRepository::stores_unions().
  std::vector<Target> also{};
  /// Each recipient that no longer has it pending causes a DeliveryReport. Only the repositories of this library get
  /// it.
  bool notify = false;
};

/// A message one recipient has not confirmed yet.
struct PendingMessage {
  MessageId id;                 ///< the same for all its recipients
  ServiceName service;          ///< the service it was sent to
  Recipient recipient;          ///< has not confirmed it
  bool listening = false;       ///< Target::listening
  std::string event;            ///< event name
  Payload data;                 ///< left out where the call says so; rows of one message share it
  std::uint64_t data_size = 0;  ///< bytes, also where `data` was left out
  WallTime created;             ///< when it was sent
  WallTime expires;             ///< NewMessage::expires
  std::string collapse{};       ///< NewMessage::collapse
  MessageId original{};         ///< first id if imported or requeued, read with `data`; see NewMessage
  std::uint32_t attempts = 0;   ///< deliveries counted, see AttemptLog
  bool damaged = false;         ///< the data fails its checksum; only checked where `data` is read
  bool notify = false;          ///< NewMessage::notify, read with `data` by MessageCatalog
};

/// The id of a message before it was imported or requeued from the dead letters.
inline MessageId first_id(const PendingMessage& message) {
  return message.original.valid() ? message.original : message.id;
}

/// The result of adding one message of several.
struct AddOutcome {
  using Refusal = ErrorInfo;  ///< why a message was not stored

  MessageId id{};             ///< valid when it was stored
  bool repeated = false;      ///< its key was known: `id` is the first message's, nothing was stored or replaced;
                              ///< see also NewMessage::original
  std::uint64_t pending = 0;  ///< recipients that have it pending
  std::optional<Refusal> refusal{};  ///< set when this message alone was refused; with an id it is stored all the same,
                                     ///< but not as safely as it has to be, and is delivered
  std::vector<MessageId> before{};   ///< of NewMessage::ids_before, also when the message itself was not stored
  std::vector<MessageId> behind{};   ///< of NewMessage::ids_behind
};

/// Not all pending messages could be read, because a part of the store did not answer, was too busy or failed. The
/// caller retries.
class SSE_API PartialRead final : public Error {
 public:
  /// Why, as one sentence, and what could be read.
  PartialRead(const std::string& why, std::vector<PendingMessage> found)
      : Error(ErrorCode::kUnavailable, why), found_(std::move(found)) {}

  /// The messages that could be read, as MessageRepository::pending() returns them.
  std::vector<PendingMessage> take() { return std::move(found_); }

 private:
  std::vector<PendingMessage> found_;
};

/// The store of messages accepted with qos and not yet confirmed. Thread safe. A message that was added survives
/// `kill -9` in every implementation that uses a file.
///
/// Ids are allocated in commit order: once a reader has seen id N, no message with a smaller id appears later. A reader
/// that pages with `after` therefore misses nothing.
///
/// What a repository can do beyond this is in interfaces of their own, which it implements, too: AsyncAdd,
/// WithdrawalReports, AttemptLog, MessageCatalog (sse-server/repository_abilities.h).
class SSE_API MessageRepository {
 public:
  virtual ~MessageRepository() = default;

  /// Stores every message for each recipient of its target, in one commit and in order, and returns an outcome for
  /// each. Blocks until durable; concurrent calls may share the commit. A message is refused alone, for all its
  /// recipients, with kLimitExceeded when a recipient or the store has too many. Throws Error(kIo) when the store
  /// fails; nothing is stored then.
  ///
  /// Calls `committed`, which may be empty, once when everything is durable, before returning; not when it throws. The
  /// calls of several adds run in the order of their ids where the store can tell. `committed` runs on any thread, is
  /// quick, does not throw, and does not call the repository.
  virtual std::vector<AddOutcome> add_in_order(std::span<const NewMessage> messages,
                                               const std::function<void()>& committed) = 0;
  /// The same, for callers that need no notice.
  std::vector<AddOutcome> add_all(std::span<const NewMessage> messages) { return add_in_order(messages, {}); }
  /// Adds one message and returns its id; throws what add_in_order() would return as its refusal.
  MessageId add(const NewMessage& message) {
    const AddOutcome outcome = add_all({&message, 1}).front();
    if (outcome.refusal) throw Error(outcome.refusal->code, outcome.refusal->sentence);
    return outcome.id;
  }

  /// Whether it stores messages with NewMessage::also. Without, a send with qos to users and tokens is refused.
  virtual bool stores_unions() const { return false; }

  /// Removes a pair that the recipient has confirmed. Asynchronous: queued, durable shortly after; never blocks on the
  /// disk, so that loop threads may call it. Unknown pairs are ignored. After a failure to write, which the repository
  /// retries or reports, the message may be delivered again.
  virtual void confirm(const ServiceName& service, const Recipient& recipient, MessageId id) = 0;

  /// Unexpired messages of any of `recipients` with an id greater than `after`, ascending by id, with data. Returns at
  /// most `limit`, and stops once their data has reached the byte limit (but returns at least one if there is one and
  /// `limit` is not 0). A message that several of `recipients` have pending is returned once for each of them; these
  /// rows stay together even past the limits, so that paging with `after` skips none. Blocks on the store. Throws
  /// PartialRead, or another Error when nothing could be read.
  virtual std::vector<PendingMessage> pending(const ServiceName& service, std::span<const Recipient> recipients,
                                              MessageId after, std::size_t limit, ByteCount max_bytes,
                                              WallTime now) = 0;

  /// Removes messages that expired by `now`, which a repository with dead letters moves there, and returns how many
  /// (message, recipient) pairs that were. Called about once a minute. Blocks on the store.
  virtual std::uint64_t expire(WallTime now) = 0;

  /// (message, recipient) pairs pending now, on this node; another node may change a shared store meanwhile. Called
  /// often, also on loop threads: counted in memory.
  virtual std::uint64_t size() const = 0;
};

}  // namespace sse
