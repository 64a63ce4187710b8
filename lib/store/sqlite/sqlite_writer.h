#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "store/dead_letters.h"
#include "store/message_repository.h"
#include "store/repository_abilities.h"
#include "store/sqlite/open_transaction.h"
#include "store/sqlite/sqlite_dead_letters.h"
#include "store/sqlite/sqlite_file.h"
#include "store/sqlite/sqlite_outbox.h"
#include "store/sqlite/sqlite_pending.h"
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
  AddOutcome add(const NewMessage& message) { return pending_.add(message); }
  /// False when there was no such pair.
  bool confirm(const ServiceName& service, const Recipient& recipient, MessageId id) {
    return pending_.confirm(service, recipient, id);
  }
  void note_attempts(const ServiceName& service, const Recipient& recipient, MessageId id, std::uint32_t attempts) {
    pending_.note_attempts(service, recipient, id, attempts);
  }
  /// Deletes the message for all recipients; returns how many.
  std::uint64_t erase(MessageId id) { return pending_.erase(id); }
  /// As MessageRepository.
  std::vector<MessageId> known_imports(std::span<const NewMessage> messages) {
    return pending_.known_imports(messages);
  }
  PartialStore::Replaced replace_older(const ServiceName& service, const Recipient& recipient,
                                       const std::string& collapse, MessageId than) {
    return pending_.replace_older(service, recipient, collapse, than);
  }
  /// Deletes up to `enough` matching pairs; returns how many, 0 when none is left.
  std::uint64_t purge(const MessageFilter& filter, std::uint64_t enough) { return pending_.purge(filter, enough); }
  /// Moves expired messages to the dead letters until `enough` pairs are moved, or so much data has been copied that
  /// senders would have to wait; returns how many pairs, 0 when nothing is left to expire.
  std::uint64_t expire(WallTime now, std::uint64_t enough) { return dead_.expire(now, enough); }
  /// As DeadLetters.
  std::vector<LetterOutcome> add_dead(std::span<const DeadLetter> letters) { return dead_.add(letters); }
  std::vector<MessageId> requeue(MessageId id, const MessageFilter& filter, WallTime now) {
    return dead_.requeue(id, filter, now);
  }
  std::uint64_t purge_dead(MessageId id, const MessageFilter& filter) { return dead_.purge(id, filter); }
  /// As Outbox.
  void remove_reports(std::span<const std::uint64_t> numbers);

  /// The messages withdrawn by committed transactions since the last call.
  std::vector<Withdrawn> take_withdrawn() { return std::exchange(committed_withdrawn_, {}); }
  /// The delivery reports that committed transactions have made and dropped since the last call.
  MadeReports take_reports() { return std::exchange(committed_reports_, {}); }

  /// Committed (message, recipient) pairs.
  std::uint64_t size() const { return committed_.pairs; }
  /// Committed delivery reports in the outbox.
  std::uint64_t waiting_reports() const { return committed_.reports; }

  // Outside a transaction.

  /// Releases up to `pages` free pages to the file system, except a small reserve; true when there are more to release.
  bool reclaim(int pages);
  /// Moves the log into the database when it is large enough; disturbs neither readers nor waiting senders.
  void checkpoint_if_due();

 private:
  std::string path_;
  const StoreLimits limits_;
  SQLite::Database db_;
  OpenTransaction open_;
  SqliteOutbox outbox_;
  SqlitePending pending_;
  SqliteDeadLetters dead_;
  SQLite::Statement begin_, commit_, rollback_, totals_;
  OpenTransaction::Totals committed_;
  std::vector<Withdrawn> committed_withdrawn_;
  MadeReports committed_reports_;
  int log_pages_ = 0;
};

}  // namespace sse::store
