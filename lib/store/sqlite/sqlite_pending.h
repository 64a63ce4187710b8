#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "store/message_repository.h"
#include "store/repository_abilities.h"
#include "store/sqlite/open_transaction.h"
#include "store/sqlite/sqlite_outbox.h"
#include "store/store_limits.h"

namespace sse::store {

/// The pending messages of the writing connection: the tables `message`, `pending`, `recipient`, `collapse` and
/// `sent_key`. One thread at a time, inside a transaction of SqliteWriter. All methods throw StoreError or
/// SQLite::Exception when SQLite fails; the transaction then has to be rolled back.
class SqlitePending {
 public:
  /// References must outlive this. `path` is named in errors.
  SqlitePending(const SQLite::Database& db, std::string path, const StoreLimits& limits, IdGenerator& ids,
                OpenTransaction& open, SqliteOutbox& outbox);

  /// As SqliteWriter.
  AddOutcome add(const NewMessage& message);
  bool confirm(const ServiceName& service, const Recipient& recipient, MessageId id);
  void note_attempts(const ServiceName& service, const Recipient& recipient, MessageId id, std::uint32_t attempts);
  std::uint64_t erase(MessageId id);
  std::vector<MessageId> known_imports(std::span<const NewMessage> messages);
  PartialStore::Replaced replace_older(const ServiceName& service, const Recipient& recipient,
                                       const std::string& collapse, MessageId than);
  std::uint64_t purge(const MessageFilter& filter, std::uint64_t enough);

  /// True when the message is a repeat: of one with its key, or of an import that its recipient has already. Then
  /// `outcome` names the first one.
  bool knows(const NewMessage& message, AddOutcome& outcome);
  /// The first id of a pending message: before it was imported or requeued from the dead letters.
  MessageId first_id(MessageId id);
  /// Removes the message for one recipient, which SqliteWriter::take_withdrawn() then returns, and its report
  /// SqliteWriter::take_reports(). False when the recipient did not have it pending.
  bool withdraw(std::int64_t recipient, MessageId id, Withdrawn::Why why, DeliveryReport::Outcome outcome);

  /// Messages that have expired, up to `limit`, the oldest first.
  std::vector<MessageId> expired(WallTime now, std::uint64_t limit);
  /// Rows of recipients that have a message pending, and the size of its data.
  struct Recipients {
    std::vector<std::int64_t> rows;
    std::uint64_t size = 0;
  };
  Recipients some_recipients(MessageId id, std::uint64_t limit);
  /// The number of its recipients, counted up to `limit`.
  std::uint64_t count_recipients(MessageId id, std::uint64_t limit);
  /// Deletes the keys (NewMessage::key) whose time has passed.
  void expire_keys(WallTime now);

 private:
  struct Place {
    std::int64_t recipient = 0;  ///< 0: the recipient has no row yet
    MessageId replaced;
  };

  bool known_key(const NewMessage& message, AddOutcome& outcome);
  bool known_import(const NewMessage& message, AddOutcome& outcome);
  Place require_place(const NewMessage& message, const Recipient& recipient, Usage& total);
  void insert(const NewMessage& message, MessageId id, const std::vector<Recipient>& recipients,
              std::vector<Place>& places);
  bool drop(std::int64_t recipient, MessageId id, DeliveryReport::Outcome outcome);
  std::int64_t recipient_id(const ServiceName& service, const Recipient& recipient);
  std::int64_t insert_recipient(const ServiceName& service, const Recipient& recipient, std::int64_t size);

  const SQLite::Database& db_;
  const std::string path_;
  const StoreLimits& limits_;
  IdGenerator& ids_;
  OpenTransaction& open_;
  SqliteOutbox& outbox_;
  SQLite::Statement find_recipient_, insert_recipient_, count_recipient_, release_recipient_, drop_recipient_,
      describe_recipient_;
  SQLite::Statement insert_message_, drop_unclaimed_message_;
  SQLite::Statement insert_pending_, drop_pending_, is_pending_, recipients_of_, some_recipients_of_, count_pending_of_,
      count_up_to_, count_attempts_;
  SQLite::Statement find_collapsing_, put_collapsing_, drop_collapsing_;
  SQLite::Statement find_key_, put_key_, expire_keys_, find_import_, expired_;
};

}  // namespace sse::store
