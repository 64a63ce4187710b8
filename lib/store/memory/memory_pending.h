#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "store/memory/sent_keys.h"
#include "store/message_repository.h"
#include "store/outbox.h"
#include "store/repository_abilities.h"
#include "store/store_limits.h"

namespace sse::store {

/// A message and its data, which other messages may share; NewMessage::data is empty.
struct SharedMessage {
  NewMessage message;
  Payload data;
};

/// The pending messages of MemoryRepository: each message once, with the recipients that have not confirmed it, and a
/// queue of ids for each recipient. Not thread safe.
class MemoryPending {
 public:
  /// References must outlive this.
  MemoryPending(const StoreLimits& limits, IdGenerator& ids) : limits_(limits), ids_(ids) {}

  /// Stores a message unless it is a repeat. Throws Error(kLimitExceeded) before it changes anything.
  AddOutcome add(const NewMessage& message) { return store(message, {}); }
  /// Stores all messages, or on an error none: then everything is as before, and nothing counts as withdrawn. Returns
  /// the ids of those that are no repeats.
  std::vector<MessageId> add_all_or_none(const std::vector<SharedMessage>& messages);
  /// True when the message is a repeat: of one with its key, or of an import that its recipient has already. Then
  /// `outcome` names the first one.
  bool knows(const NewMessage& message, AddOutcome& outcome) const;

  /// Removes the message for one recipient, and altogether when that was the last one; false when there was none.
  bool confirm(const ServiceName& service, const Recipient& recipient, MessageId id);
  /// As MessageRepository.
  PartialStore::Replaced replace_older(const ServiceName& service, const Recipient& recipient,
                                       const std::string& collapse, MessageId than);
  std::vector<PendingMessage> pending(const ServiceName& service, std::span<const Recipient> recipients,
                                      MessageId after, std::size_t limit, ByteCount max_bytes, WallTime now) const;
  void note_attempts(const ServiceName& service, std::span<const AttemptCount> attempts);
  /// (message, recipient) pairs.
  std::uint64_t size() const { return total_.count; }

  /// As MessageCatalog.
  std::uint64_t count(const MessageFilter& filter) const;
  std::vector<PendingMessage> list(const MessageFilter& filter, std::uint64_t skip, std::size_t limit) const;
  std::uint64_t purge(const MessageFilter& filter);
  /// Withdraws a message that an operator deletes from all its recipients; returns how many.
  std::uint64_t erase(MessageId id);
  /// As erase() of an expired message. `bury` gets it, its data included, for each recipient before it is withdrawn,
  /// and returns whether it became a dead letter.
  std::uint64_t expire(MessageId id, const std::function<bool(PendingMessage)>& bury);
  /// Calls `use` with the message, its data included, for each of its recipients.
  void for_each_recipient(MessageId id, const std::function<void(PendingMessage)>& use) const;

  /// The message that expired first; invalid when none has expired.
  MessageId first_expired(WallTime now) const;
  /// Removes the keys (NewMessage::key) whose time is over.
  void expire_keys(WallTime now) { keys_.expire(now); }
  /// The messages withdrawn since the last call.
  std::vector<Withdrawn> take_withdrawn() { return std::exchange(withdrawn_, {}); }
  /// The reports of the pairs that were removed since the last call.
  std::vector<DeliveryReport> take_reports() { return std::exchange(reports_, {}); }

 private:
  using KindAndName = std::pair<event::TargetKind, std::string>;
  struct Message {
    ServiceName service;
    std::map<KindAndName, std::uint32_t> recipients;  ///< that have not confirmed → deliveries counted
    bool listening;
    std::string event;
    Payload data;
    WallTime created;
    WallTime expires;
    std::string collapse;
    MessageId original;
    bool notify;
    std::string key;  ///< with `notify`: the sender's NewMessage::key
  };
  using RecipientKey = std::tuple<ServiceName, event::TargetKind, std::string>;
  struct Queue {
    std::set<MessageId> messages;
    std::uint64_t bytes = 0;
    std::map<std::string, MessageId> collapsing;  ///< collapse key → the pending message that has it
  };
  /// What withdraw() removed for a recipient.
  struct Dropped {
    RecipientKey recipient;
    MessageId id;
    Message before;
  };
  using Replacements = std::vector<std::pair<RecipientKey, MessageId>>;

  /// `data`: of the message when NewMessage::data is empty.
  AddOutcome store(const NewMessage& message, Payload data);
  Replacements require_room_for(const Message& message) const;
  bool known_key(const NewMessage& message, AddOutcome& outcome) const;
  bool known_import(const NewMessage& message, AddOutcome& outcome) const;
  std::vector<RecipientKey> recipients_of(MessageId id) const;
  bool drop(const RecipientKey& recipient, MessageId id, DeliveryReport::Outcome outcome);
  void withdraw(const RecipientKey& recipient, MessageId id, Withdrawn::Why why, DeliveryReport::Outcome outcome);
  DeliveryReport report_of(MessageId id, const Message& message, const KindAndName& recipient,
                           DeliveryReport::Outcome outcome) const;
  void restore(const Dropped& dropped);
  static PendingMessage row(MessageId id, const Message& message, const KindAndName& recipient, bool with_data);

  const StoreLimits& limits_;
  IdGenerator& ids_;
  std::map<MessageId, Message> messages_;
  std::map<RecipientKey, Queue> by_recipient_;
  std::set<std::pair<WallTime, MessageId>> by_expiry_;
  SentKeys keys_;
  Usage total_;
  std::vector<Withdrawn> withdrawn_;
  std::vector<DeliveryReport> reports_;
  std::vector<Dropped>* undo_ = nullptr;  ///< not null: records what withdraw() removes
};

}  // namespace sse::store
