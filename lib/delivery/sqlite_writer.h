#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/ids.h"
#include "delivery/message_repository.h"

namespace sse::delivery {

/// The writing connection: what may stand in a transaction. Knows nothing of threads or queues; one thread at a time.
///
/// Everything between begin() and commit() is kept together or not at all. All of it throws StoreError when SQLite
/// refuses; the caller then calls rollback().
class SqliteWriter {
 public:
  struct Options {
    std::string path;  ///< passed require_writable_database()
    bool sync_every_commit = true;
    std::chrono::milliseconds busy_timeout{};
    std::size_t max_per_recipient = 0;
  };

  /// Opens or makes the database and raises `ids` above every id it ever held.
  SqliteWriter(const Options& options, IdGenerator& ids);

  void begin();
  void commit();
  void rollback() noexcept;

  /// Throws Error(kLimitExceeded), or kTooLarge, before it has changed anything: the transaction may go on.
  MessageId add(const NewMessage& message);
  void confirm(const ServiceName& service, const Recipient& recipient, MessageId id);
  /// Deletes the message for all recipients; returns how many.
  std::uint64_t erase(MessageId id);
  /// Deletes expired messages until `enough` pairs are gone; returns how many were, 0 when nothing is left to expire.
  std::uint64_t expire(WallTime now, std::uint64_t enough);

  /// Committed (message, recipient) pairs.
  std::uint64_t size() const { return committed_; }

  /// Gives up to `pages` free pages back to the file system, all but a small reserve; true when there is more to give.
  /// Outside of a transaction.
  bool reclaim(int pages);

 private:
  std::int64_t recipient_id(const ServiceName& service, const Recipient& recipient);
  std::int64_t insert_recipient(const ServiceName& service, const Recipient& recipient);

  std::string path_;
  std::size_t max_per_recipient_;
  IdGenerator& ids_;
  SQLite::Database db_;
  SQLite::Statement begin_, commit_, rollback_;
  SQLite::Statement find_recipient_, insert_recipient_, count_recipient_, release_recipient_, drop_recipient_;
  SQLite::Statement insert_message_, drop_message_, drop_unclaimed_message_;
  SQLite::Statement insert_pending_, drop_pending_;
  SQLite::Statement release_recipients_of_, drop_recipients_of_, drop_pending_of_, expired_;
  std::uint64_t committed_ = 0;
  std::uint64_t size_ = 0;  ///< with what the open transaction did
};

}  // namespace sse::delivery
