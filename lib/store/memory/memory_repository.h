#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/mutex.h"
#include "store/dead_letters.h"
#include "store/message_repository.h"
#include "store/store_limits.h"
#include "store/withdrawals.h"

namespace sse::store {

/// The in-memory store of pending messages (`--db :memory:`); they are lost when the process ends. Thread safe, and
/// blocks only on its mutexes, so that every thread may call it.
class MemoryRepository final : public MessageRepository, public MessageCatalog, public DeadLetters, public AttemptLog {
 public:
  /// `ids` must outlive this.
  explicit MemoryRepository(IdGenerator& ids, const StoreLimits& limits = {}) : limits_(limits), ids_(ids) {}

  std::vector<AddOutcome> add_all(std::span<const NewMessage> messages) override EXCLUDES(mutex_);
  std::vector<AddOutcome> add_in_order(std::span<const NewMessage> messages,
                                       const std::function<void()>& committed) override
      EXCLUDES(mutex_, answers_mutex_);
  bool adds_async() const override { return true; }
  bool add_async(NewMessage message, Added added) override EXCLUDES(mutex_, answers_mutex_);
  void confirm(const ServiceName& service, const Recipient& recipient, MessageId id) override EXCLUDES(mutex_);
  bool count_confirmed(const ServiceName& service, observe::Counter* counter) override EXCLUDES(mutex_);
  std::vector<MessageId> known_imports(std::span<const NewMessage> messages) override EXCLUDES(mutex_);
  Replaced replace_older(const ServiceName& service, const Recipient& recipient, const std::string& collapse,
                         MessageId than) override EXCLUDES(mutex_);
  void report_withdrawn(const ServiceName& service, Withdraw withdraw) override {
    withdrawals_.set(service, std::move(withdraw));
  }
  std::vector<PendingMessage> pending(const ServiceName& service, std::span<const Recipient> recipients,
                                      MessageId after, std::size_t limit, ByteCount max_bytes, WallTime now) override
      EXCLUDES(mutex_);
  std::uint64_t expire(WallTime now) override EXCLUDES(mutex_);
  std::uint64_t size() const override EXCLUDES(mutex_);

  std::uint64_t count(const MessageFilter& filter) override EXCLUDES(mutex_);
  std::vector<PendingMessage> list(const MessageFilter& filter, std::uint64_t skip, std::size_t limit) override
      EXCLUDES(mutex_);
  std::vector<PendingMessage> find(MessageId id) override EXCLUDES(mutex_);
  std::uint64_t erase(MessageId id) override EXCLUDES(mutex_);
  std::uint64_t purge(const MessageFilter& filter) override EXCLUDES(mutex_);

  std::uint64_t count_dead(const MessageFilter& filter) override EXCLUDES(mutex_);
  std::vector<DeadLetter> list_dead(const MessageFilter& filter, std::uint64_t skip, std::size_t limit) override
      EXCLUDES(mutex_);
  std::vector<DeadLetter> page_dead(const MessageFilter& filter, std::size_t limit) override EXCLUDES(mutex_);
  std::vector<LetterOutcome> add_dead(std::span<const DeadLetter> letters) override EXCLUDES(mutex_);
  std::vector<MessageId> requeue(MessageId id, const MessageFilter& filter, WallTime now) override EXCLUDES(mutex_);
  std::uint64_t purge_dead(MessageId id, const MessageFilter& filter) override EXCLUDES(mutex_);

  void note_attempts(const ServiceName& service, std::span<const AttemptCount> attempts) override EXCLUDES(mutex_);

 private:
  struct Message {
    ServiceName service;
    event::TargetKind kind;
    std::map<std::string, std::uint32_t> names;  ///< recipients that have not confirmed → deliveries counted
    bool listening;
    std::string event;
    Payload data;
    WallTime created;
    WallTime expires;
    std::string collapse;
    MessageId original;
  };
  using Messages = std::map<MessageId, Message>;
  using RecipientKey = std::tuple<ServiceName, event::TargetKind, std::string>;
  struct Queue {
    std::set<MessageId> messages;
    std::uint64_t bytes = 0;
    std::map<std::string, MessageId> collapsing;  ///< collapse key → the pending message that has it
  };
  struct Key {
    MessageId id;
    WallTime expires;
  };
  using SentKey = std::pair<ServiceName, std::string>;
  /// What withdraw() removed for a recipient.
  struct Dropped {
    RecipientKey recipient;
    MessageId id;
    Message before;
  };

  /// Data shared by the letters of one message.
  struct DeadData {
    Payload data;
    std::uint64_t letters;
  };

  /// `data`: the message's payload when `message.data` is empty.
  void store_message(const NewMessage& message, AddOutcome& outcome, Payload data = {}) REQUIRES(mutex_);
  bool known_key(const NewMessage& message, AddOutcome& outcome) REQUIRES(mutex_);
  bool known_import(const NewMessage& message, AddOutcome& outcome) REQUIRES(mutex_);
  bool drop(const RecipientKey& recipient, MessageId id) REQUIRES(mutex_);
  void withdraw(const RecipientKey& recipient, MessageId id, Withdrawn::Why why) REQUIRES(mutex_);
  void restore(const Dropped& dropped) REQUIRES(mutex_);
  void forget_key(const SentKey& name) REQUIRES(mutex_);
  void remember_key(SentKey name, const Key& key) REQUIRES(mutex_);
  void report() REQUIRES(mutex_) { withdrawals_.report(std::exchange(withdrawn_, {})); }
  std::uint64_t erase_locked(Messages::iterator message, Withdrawn::Why why) REQUIRES(mutex_);
  static bool is_older(const DeadLetter& letter, const DeadLetter& other);
  std::uint64_t drop_dead(MessageId id, const MessageFilter& filter) REQUIRES(mutex_);
  void move_to_dead(MessageId id, const Message& message, WallTime now) REQUIRES(mutex_);
  /// The entry for this data among the message's letters; null when there is none.
  DeadData* dead_data(MessageId id, const Payload& data) REQUIRES(mutex_);
  bool has_room_for_letter(MessageId id, const Payload& data) REQUIRES(mutex_);
  void store_letter(DeadLetter letter) REQUIRES(mutex_);
  void release_data(const PendingMessage& message) REQUIRES(mutex_);
  static PendingMessage row(MessageId id, const Message& message, const std::string& name, bool with_data);
  static bool matches_all(const MessageFilter& filter);
  static bool matches(const MessageFilter& filter, const ServiceName& service, const Recipient& recipient,
                      const std::string& event);
  static bool matches(const MessageFilter& filter, const Message& message, const std::string& name) {
    return matches(filter, message.service, {message.kind, name}, message.event);
  }

  static bool matches(MessageId id, const MessageFilter& filter, const DeadLetter& letter) {
    const PendingMessage& m = letter.message;
    return (!id.valid() || m.id == id) && (!filter.message.valid() || m.id == filter.message) &&
           matches(filter, m.service, m.recipient, m.event);
  }

  // Constant after construction.
  const StoreLimits limits_;
  IdGenerator& ids_;

  Mutex answers_mutex_;  ///< held until the result has been passed on, so that this happens in the order of the ids
  mutable Mutex mutex_;
  Messages messages_ GUARDED_BY(mutex_);
  std::map<RecipientKey, Queue> by_recipient_ GUARDED_BY(mutex_);
  std::set<std::pair<WallTime, MessageId>> by_expiry_ GUARDED_BY(mutex_);
  std::map<SentKey, Key> keys_ GUARDED_BY(mutex_);
  std::set<std::pair<WallTime, SentKey>> keys_by_expiry_ GUARDED_BY(mutex_);
  std::deque<DeadLetter> dead_ GUARDED_BY(mutex_);  ///< oldest first
  std::map<MessageId, std::vector<DeadData>> dead_data_ GUARDED_BY(mutex_);
  std::uint64_t dead_bytes_ GUARDED_BY(mutex_) = 0;  ///< of dead_data_
  Usage total_ GUARDED_BY(mutex_);
  std::map<ServiceName, observe::Counter*> confirmed_ GUARDED_BY(mutex_);
  std::vector<Withdrawn> withdrawn_ GUARDED_BY(mutex_);      ///< by the call in progress
  std::vector<Dropped>* undo_ GUARDED_BY(mutex_) = nullptr;  ///< not null: records what withdraw() removes

  Withdrawals withdrawals_;
};

}  // namespace sse::store
