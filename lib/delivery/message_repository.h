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
#include "delivery/payload.h"
#include "event/target.h"

namespace sse::observe {
class Counter;
}

namespace sse::delivery {

/// One of those a pending message is tracked for: a user, a token, a tenant, a channel, or everybody (name empty).
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

/// What `send … --qos` asks to be kept.
struct NewMessage {
  ServiceName service;
  event::Target target;  ///< normalized; every name is a recipient tracked alone, kAll is one recipient
  std::string event;
  std::string data;
  WallTime created;
  WallTime expires;
  std::string key{};  ///< not empty: another message with this key, while this one's time to live lasts, is this one
  std::string collapse{};  ///< not empty: takes the place of what a recipient has pending with the same word
  /// Valid: it is imported, or sent again when it was dead, for its one recipient, and had this id where it was first;
  /// the `key` of an imported one names it, too. What the recipient has pending under this id is this message; what it
  /// has with the same `collapse` stays when it is younger. Either is answered as a repeat.
  MessageId original{};
  /// Valid: it is the repeat of this one, which another store has. Nothing is kept, which is answered as a repeat.
  MessageId repeats{};
  bool awaited = false;  ///< somebody waits for its confirmations, see report_settled()
  /// So many further ids are given, before and behind this one's, for events that are sent with it and not kept.
  std::uint32_t ids_before = 0;
  std::uint32_t ids_behind = 0;
};

/// A recipient no longer has a message pending, and has not confirmed it.
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
  Payload data;                 ///< empty where the call says so; rows of one message share it
  std::uint64_t data_size = 0;  ///< bytes, also where `data` was left out
  WallTime created;
  WallTime expires;
  std::string collapse{};
  MessageId original{};        ///< of an imported or requeued one, where `data` is there: see NewMessage
  std::uint32_t attempts = 0;  ///< deliveries noted, see AttemptLog
  bool damaged = false;        ///< the data is not what was stored; only looked at where `data` is there
};

/// The id a message had first: before it was imported, or sent again when it was dead.
inline MessageId first_id(const PendingMessage& message) {
  return message.original.valid() ? message.original : message.id;
}

/// What became of one message of several.
struct AddOutcome {
  struct Refusal {
    ErrorCode code;
    std::string sentence;
  };

  MessageId id;                     ///< when it was kept
  bool repeated = false;            ///< its key was known: `id` is the first one's, nothing was kept or replaced; see
                                    ///< also NewMessage::original
  std::uint64_t pending = 0;        ///< recipients that have it pending
  std::optional<Refusal> refusal;   ///< when it alone was not
  std::vector<MessageId> before{};  ///< of NewMessage::ids_before, also when the message itself was not kept
  std::vector<MessageId> behind{};  ///< of NewMessage::ids_behind
};

/// Not all pending messages could be read: some are where nobody answered, was too busy or failed. To be asked for
/// again.
class PartlyRead final : public Error {
 public:
  PartlyRead(const std::string& why, std::vector<PendingMessage> found)
      : Error(ErrorCode::kUnavailable, why), found_(std::move(found)) {}

  /// What could be read, as MessageRepository::pending() returns it.
  std::vector<PendingMessage> take() { return std::move(found_); }

 private:
  std::vector<PendingMessage> found_;
};

/// So many ids, ascending.
std::vector<MessageId> next_ids(IdGenerator& ids, std::size_t count);

/// The messages accepted with qos that are not confirmed. Thread safe. What add() returned survives `kill -9` in every
/// implementation that has a file.
///
/// Ids are given in commit order: once a reader has seen id N, no message with a smaller id appears later. A reader
/// that pages with `after` therefore misses nothing.
class MessageRepository {
 public:
  virtual ~MessageRepository() = default;

  /// Keeps every message for each recipient of its target, in one commit and in their order. Blocks until durable;
  /// concurrent calls share the commit. A message is refused alone, for all its recipients, with kLimitExceeded when
  /// one of them, or all together, would have more pending than StoreLimits allow. Throws Error(kIo) when the store
  /// failed: nothing is kept then.
  virtual std::vector<AddOutcome> add_all(std::span<const NewMessage> messages) = 0;
  /// As add_all(). `committed` is called once when all is durable, before this returns: for two calls, here or of
  /// add_soon(), in the order of their ids, wherever the store can tell. Not when this throws. On any thread; must be
  /// quick, not throw, and not call the repository.
  virtual std::vector<AddOutcome> add_in_order(std::span<const NewMessage> messages,
                                               const std::function<void()>& committed) {
    std::vector<AddOutcome> outcomes = add_all(messages);
    committed();
    return outcomes;
  }
  /// One message; what would be its refusal is thrown.
  MessageId add(const NewMessage& message);

  /// Gets back what add_soon() took, and what became of it; a store that failed is a refusal, too. Called once, on a
  /// thread of the repository's or the caller's own, in the order of the ids; must be quick, not throw, and not call
  /// add() or add_all().
  using Added = std::function<void(NewMessage&& message, AddOutcome&& outcome)>;
  /// As add(), without waiting for the disk: for threads that have better things to do. False: it is closing; then
  /// `added` is not called. REQUIRES: adds_soon().
  virtual bool add_soon(NewMessage /*message*/, Added /*added*/) { return false; }  // NOLINT: others keep them
  /// Whether this implementation can.
  virtual bool adds_soon() const { return false; }

  /// The recipient has confirmed. Asynchronous: queued, and durable soon; never blocks on the disk, so that loop
  /// threads may call it. Unknown pairs are ignored. A failure to write is reported through the implementation's
  /// error callback and tried again; the message may then be delivered again.
  virtual void confirm(const ServiceName& service, const Recipient& recipient, MessageId id) = 0;

  /// From now on confirm() adds to `counter` for every pair of the service it removes, and for no other: a message that
  /// was sent twice, or to two streams of its recipient, is confirmed once. `counter` must outlive the repository's
  /// work; null ends it. False: the implementation cannot tell, and counts nothing.
  virtual bool count_confirmed(const ServiceName& /*service*/, observe::Counter* /*counter*/) { return false; }

  /// From now on `withdraw` is told what recipients of the service no longer have pending for another reason than their
  /// confirmation, as soon as that is durable, and before who asked for it, or sent what replaced it, has an answer. On
  /// the caller's thread or one of the repository's, one call at a time; must be quick, and not call the repository.
  /// Empty ends it. What other nodes withdraw from a shared store is not told.
  using Withdraw = std::function<void(const std::vector<Withdrawn>&)>;
  virtual void report_withdrawn(const ServiceName& /*service*/, Withdraw /*withdraw*/) {}  // NOLINT: others keep it

  /// From now on `settled` is told of awaited messages (NewMessage::awaited) that a recipient no longer has pending,
  /// whichever node heard of its confirmation; those that confirm() was called for here may be left out. With a message
  /// that is not valid: something may have been missed, whoever waits has to look. On a thread of the repository's or a
  /// caller's; must be quick, and not call the repository. Empty ends it.
  using Settled = std::function<void(const Recipient& recipient, MessageId message)>;
  virtual void report_settled(const ServiceName& /*service*/, Settled /*settled*/) {}  // NOLINT: others keep it
  /// Whether it does now; where not, and others share the store, whoever waits has to look from time to time.
  virtual bool tells_settled() const { return false; }

  /// Of each of these, which are imported (NewMessage::original) and for one recipient, the id of the message here that
  /// add_all() would answer as its repeat; not valid: it would be kept. Blocks on the store.
  virtual std::vector<MessageId> known_imports(std::span<const NewMessage> messages) {
    return std::vector<MessageId>(messages.size());
  }

  /// What replace_older() did.
  struct Replaced {
    std::uint64_t count = 0;  ///< messages withdrawn
    MessageId younger{};      ///< valid: the first id of one that is younger still, and stays
  };
  /// Another store has a message for the recipient with this collapse key, whose first id is `than`: what is pending
  /// here with the key and is older is withdrawn. Blocks on the store.
  virtual Replaced replace_older(const ServiceName& /*service*/, const Recipient& /*recipient*/,
                                 const std::string& /*collapse*/, MessageId /*than*/) {
    return {};
  }

  /// Unexpired messages of any of `recipients` with an id greater than `after`, ascending by id, with data: at most
  /// `limit`, and no more once their data has reached `most` bytes (at least one is returned if there is one and
  /// `limit` is not 0). A message that several of `recipients` have pending is returned once for each of them, and
  /// those stay together even past the limits, so that paging with `after` skips none. Blocks on the store. Throws
  /// PartlyRead, or another Error when nothing could be read.
  virtual std::vector<PendingMessage> pending(const ServiceName& service, std::span<const Recipient> recipients,
                                              MessageId after, std::size_t limit, ByteCount most, WallTime now) = 0;

  /// Makes dead letters of what expired by `now` and returns how many (message, recipient) pairs that were. Blocks on
  /// the store.
  virtual std::uint64_t expire(WallTime now) = 0;

  /// (message, recipient) pairs pending now. Cheap: kept in memory.
  virtual std::uint64_t size() const = 0;

  /// Whether others change it, too, so that size() may be behind.
  virtual bool shared() const { return false; }

  /// Where all is that was added here: this, or a part of it, which is asked without other nodes.
  virtual MessageRepository& own() { return *this; }
};

/// How often a pending message went into a stream of a recipient.
struct Attempted {
  Recipient recipient;
  MessageId id;
  std::uint32_t attempts = 0;
};

/// Counts deliveries of pending messages.
class AttemptLog {
 public:
  virtual ~AttemptLog() = default;
  /// Adds to what was counted before. Asynchronous as MessageRepository::confirm(), and less is lost with it: a failure
  /// is not reported.
  virtual void note_attempts(const ServiceName& service, std::span<const Attempted> attempts) = 0;
};

/// Which pending messages to show. Empty fields match everything.
struct MessageFilter {
  ServiceName service{};
  std::optional<event::TargetKind> kind{};
  std::string recipient{};
  std::string event{};
  MessageId after{};    ///< of the catalog: only larger ids
  MessageId message{};  ///< of dead letters: valid, only those of this one
};

/// The operator's view of a repository; also over a file without a server. Thread safe, blocks on the store.
class MessageCatalog {
 public:
  virtual ~MessageCatalog() = default;

  /// How many pairs match, expired ones included.
  virtual std::uint64_t count(const MessageFilter& filter) = 0;
  /// Matching pairs ascending by id, then recipient; `skip` left out first, at most `limit`; without data.
  virtual std::vector<PendingMessage> list(const MessageFilter& filter, std::uint64_t skip, std::size_t limit) = 0;
  /// Every recipient that still has the message pending, with data, once in memory; empty when unknown.
  virtual std::vector<PendingMessage> find(MessageId id) = 0;
  /// Those of several messages, which are ascending, in one go.
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
  /// Deletes all pairs that match, as erase(). Messages that are added meanwhile may stay.
  virtual std::uint64_t purge(const MessageFilter& filter) = 0;
};

}  // namespace sse::delivery
