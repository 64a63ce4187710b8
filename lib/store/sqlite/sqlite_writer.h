#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "store/dead_letters.h"
#include "store/message_repository.h"
#include "store/sqlite/sqlite_file.h"
#include "store/store_limits.h"

namespace sse::store {

/// The writing connection: the operations of a transaction, without threads or queues; one thread at a time.
///
/// Everything between begin() and commit() is stored together or not at all. All methods throw StoreError when SQLite
/// fails; the caller then calls rollback().
class SqliteWriter {
 public:
  struct Options {
    std::string path;  ///< checked by require_writable_database()
    bool sync_every_commit = true;
    std::chrono::milliseconds busy_timeout{};
    StoreLimits limits{};
    FileFindings findings{};  ///< from require_writable_database()
  };

  /// Opens or creates the database, upgrades an older one, and raises `ids` above every id it ever held.
  SqliteWriter(const Options& options, IdGenerator& ids);

  void begin();
  void commit();
  void rollback() noexcept;

  /// Throws Error(kLimitExceeded) or kTooLarge before it changes anything, so that the transaction can continue.
  AddOutcome add(const NewMessage& message);
  /// False when there was no such pair.
  bool confirm(const ServiceName& service, const Recipient& recipient, MessageId id);
  void note_attempts(const ServiceName& service, const Recipient& recipient, MessageId id, std::uint32_t attempts);
  /// Deletes the message for all recipients; returns how many.
  std::uint64_t erase(MessageId id);
  /// As MessageRepository.
  std::vector<LetterOutcome> add_dead(std::span<const DeadLetter> letters);
  std::vector<MessageId> known_imports(std::span<const NewMessage> messages);
  MessageRepository::Replaced replace_older(const ServiceName& service, const Recipient& recipient,
                                            const std::string& collapse, MessageId than);
  /// Deletes up to `enough` matching pairs; returns how many, 0 when none is left.
  std::uint64_t purge(const MessageFilter& filter, std::uint64_t enough);
  /// Moves expired messages to the dead letters until `enough` pairs are moved, or so much data has been copied that
  /// senders would have to wait; returns how many pairs, 0 when nothing is left to expire.
  std::uint64_t expire(WallTime now, std::uint64_t enough);
  /// As DeadLetters.
  std::vector<MessageId> requeue(MessageId id, const MessageFilter& filter, WallTime now);
  std::uint64_t purge_dead(MessageId id, const MessageFilter& filter);

  /// The messages withdrawn by committed transactions since the last call.
  std::vector<Withdrawn> take_withdrawn() { return std::exchange(committed_withdrawn_, {}); }

  /// Committed (message, recipient) pairs.
  std::uint64_t size() const { return committed_.pairs; }

  // Outside a transaction.

  /// Releases up to `pages` free pages to the file system, except a small reserve; true when there are more to release.
  bool reclaim(int pages);
  /// Moves the log into the database when it is large enough; disturbs neither readers nor waiting senders.
  void checkpoint_if_due();

 private:
  // The totals of the file. Also stored in the one row of `total`, so that opening the file counts nothing.
  struct Totals {
    std::uint64_t pairs = 0;
    std::uint64_t bytes = 0;
    std::uint64_t dead = 0;
    std::uint64_t dead_bytes = 0;

    friend bool operator==(const Totals&, const Totals&) = default;
  };
  struct Place {
    std::int64_t recipient = 0;  ///< 0: the recipient has no row yet
    MessageId replaced;
  };

  /// The known letters of messages, read once per first id.
  struct KnownLetters {
    std::set<MessageId> read;  ///< the first ids read so far
    std::set<DeadLetterKey> names;
  };
  void read_letters(MessageId first, KnownLetters& known);
  bool knows_letter(const DeadLetter& letter, KnownLetters& known);
  bool known_key(const NewMessage& message, AddOutcome& outcome);
  bool known_import(const NewMessage& message, AddOutcome& outcome);
  MessageId first_id(MessageId id);
  Place require_place(const NewMessage& message, const Recipient& recipient, Usage& total);
  void insert(const NewMessage& message, MessageId id, const std::vector<std::string>& names,
              std::vector<Place>& places);
  bool drop(std::int64_t recipient, MessageId id);
  bool withdraw(std::int64_t recipient, MessageId id, Withdrawn::Why why);
  struct MovedToDead {
    std::uint64_t pairs = 0;
    std::uint64_t bytes = 0;  ///< copied
  };
  MovedToDead move_some_to_dead(MessageId id, WallTime now, std::uint64_t most);
  void make_room_for_letter(std::int64_t& payload, std::uint64_t size);
  std::int64_t drop_oldest_dead();
  bool drop_letter(std::int64_t id, std::int64_t payload);
  bool drop_unused_data(std::int64_t payload);
  std::int64_t recipient_id(const ServiceName& service, const Recipient& recipient);
  std::int64_t insert_recipient(const ServiceName& service, const Recipient& recipient, std::int64_t size);

  std::string path_;
  const StoreLimits limits_;
  IdGenerator& ids_;
  SQLite::Database db_;
  SQLite::Statement begin_, commit_, rollback_, totals_;
  SQLite::Statement find_recipient_, insert_recipient_, count_recipient_, release_recipient_, drop_recipient_;
  SQLite::Statement insert_message_, drop_unclaimed_message_;
  SQLite::Statement insert_pending_, drop_pending_, recipients_of_, count_attempts_;
  SQLite::Statement find_collapsing_, put_collapsing_, drop_collapsing_;
  SQLite::Statement find_key_, put_key_, count_pending_of_, expire_keys_, find_import_, is_pending_;
  SQLite::Statement expired_, some_recipients_of_, count_up_to_, insert_dead_, insert_dead_collapse_, insert_dead_data_,
      find_moved_data_, find_dead_data_, put_dead_data_, unused_dead_data_, drop_dead_data_, oldest_dead_, dead_data_,
      drop_dead_;
  SQLite::Statement describe_recipient_, letters_of_, letters_by_original_, insert_letter_, insert_letter_collapse_;
  Totals committed_;
  Totals now_;                        ///< including the changes of the open transaction
  std::vector<Withdrawn> withdrawn_;  ///< by the open transaction
  std::vector<Withdrawn> committed_withdrawn_;
  int log_pages_ = 0;
};

}  // namespace sse::store
