#include "delivery/sqlite_writer.h"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "delivery/recipient_limit.h"
#include "delivery/sqlite_file.h"
#include "delivery/sqlite_statement.h"
#include "delivery/store_error.h"

namespace sse::delivery {
namespace {

// Pages kept for reuse: giving back what the next message takes again would only cost writes.
constexpr std::int64_t kReservePages = 256;

template <class F>
auto translated(const char* what, const std::string& path, const SQLite::Database* db, F&& f) {
  try {
    return f();
  } catch (const SQLite::Exception& e) {
    throw store_error(e, what, path, db);
  }
}

SQLite::Statement prepare(const SQLite::Database& db, const std::string& path, const char* sql) {
  return translated("open the database", path, &db, [&] { return SQLite::Statement(db, sql); });
}

}  // namespace

SqliteWriter::SqliteWriter(const Options& o, IdGenerator& ids)
    : path_(o.path),
      max_per_recipient_(o.max_per_recipient),
      ids_(ids),
      db_(open_for_writing(o.path, o.sync_every_commit, o.busy_timeout)),
      begin_(prepare(db_, path_, "BEGIN IMMEDIATE")),
      commit_(prepare(db_, path_, "COMMIT")),
      rollback_(prepare(db_, path_, "ROLLBACK")),
      find_recipient_(
          prepare(db_, path_, "SELECT id, pending FROM recipient WHERE name = ? AND kind = ? AND service = ?")),
      insert_recipient_(prepare(db_, path_, "INSERT INTO recipient(name, kind, service, pending) VALUES(?, ?, ?, 0)")),
      count_recipient_(prepare(db_, path_, "UPDATE recipient SET pending = pending + 1 WHERE id = ?")),
      release_recipient_(prepare(db_, path_, "UPDATE recipient SET pending = pending - 1 WHERE id = ?")),
      drop_recipient_(prepare(db_, path_, "DELETE FROM recipient WHERE id = ? AND pending = 0")),
      insert_message_(prepare(db_, path_,
                              "INSERT INTO message(id, created, expires, listening, event, data) "
                              "VALUES(?, ?, ?, ?, ?, ?)")),
      drop_message_(prepare(db_, path_, "DELETE FROM message WHERE id = ?")),
      drop_unclaimed_message_(prepare(
          db_, path_, "DELETE FROM message WHERE id = ?1 AND NOT EXISTS(SELECT 1 FROM pending WHERE message = ?1)")),
      insert_pending_(prepare(db_, path_, "INSERT INTO pending(recipient, message) VALUES(?, ?)")),
      drop_pending_(prepare(db_, path_, "DELETE FROM pending WHERE recipient = ? AND message = ?")),
      release_recipients_of_(prepare(db_, path_,
                                     "UPDATE recipient SET pending = pending - 1 "
                                     "WHERE id IN (SELECT recipient FROM pending WHERE message = ?)")),
      drop_recipients_of_(prepare(db_, path_,
                                  "DELETE FROM recipient WHERE pending = 0 "
                                  "AND id IN (SELECT recipient FROM pending WHERE message = ?)")),
      drop_pending_of_(prepare(db_, path_, "DELETE FROM pending WHERE message = ?")),
      expired_(prepare(db_, path_, "SELECT id FROM message WHERE expires <= ? ORDER BY expires LIMIT 1000")) {
  translated("open the database", path_, &db_, [&] {
    SQLite::Statement largest(db_, "SELECT seq FROM sqlite_sequence WHERE name = 'message'");
    if (largest.executeStep()) ids_.raise_floor(static_cast<std::uint64_t>(largest.getColumn(0).getInt64()));
    size_ = static_cast<std::uint64_t>(db_.execAndGet("SELECT count(*) FROM pending").getInt64());
    committed_ = size_;
  });
}

void SqliteWriter::begin() {
  translated("write to", path_, &db_, [&] { Use(begin_).run(); });
}

void SqliteWriter::commit() {
  translated("write to", path_, &db_, [&] { Use(commit_).run(); });
  committed_ = size_;
}

void SqliteWriter::rollback() noexcept {
  // SQLite has already rolled back by itself after most store faults.
  if (sqlite3_get_autocommit(db_.getHandle()) == 0) {
    rollback_.tryExecuteStep();
    rollback_.tryReset();
  }
  size_ = committed_;
}

MessageId SqliteWriter::add(const NewMessage& message) {
  constexpr std::size_t kSqliteMost = 1'000'000'000;  // SQLITE_MAX_LENGTH
  if (message.data.size() + message.event.size() > kSqliteMost - 1000) {
    throw Error(ErrorCode::kTooLarge, "a message of " + std::to_string(message.data.size()) +
                                          " bytes cannot be stored; at most a gigabyte can");
  }
  return translated("store a message in", path_, &db_, [&] {
    std::vector<std::string> names = message.target.names;
    if (message.target.kind == event::TargetKind::kAll) names.assign(1, "");
    std::vector<std::int64_t> recipients;
    recipients.reserve(names.size());
    for (const std::string& name : names) {
      Use find(find_recipient_);
      find.text(name).kind(message.target.kind).text(message.service.str());
      const bool known = find.step();
      if (known && find.count_at(1) >= max_per_recipient_) {
        throw recipient_limit_reached({message.target.kind, name}, find.count_at(1));
      }
      recipients.push_back(known ? find.integer_at(0) : 0);
    }
    const MessageId id(ids_.next());
    Use(insert_message_)
        .id(id)
        .integer(to_millis(message.created))
        .integer(to_millis(message.expires))
        .integer(message.target.listening ? 1 : 0)
        .text(message.event)
        .blob(message.data)
        .run();
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (recipients[i] == 0) recipients[i] = insert_recipient(message.service, {message.target.kind, names[i]});
      Use(count_recipient_).integer(recipients[i]).run();
      Use(insert_pending_).integer(recipients[i]).id(id).run();
    }
    size_ += names.size();
    return id;
  });
}

void SqliteWriter::confirm(const ServiceName& service, const Recipient& recipient, MessageId id) {
  translated("store a confirmation in", path_, &db_, [&] {
    const std::int64_t row = recipient_id(service, recipient);
    if (row == 0 || Use(drop_pending_).integer(row).id(id).run() == 0) return;
    Use(release_recipient_).integer(row).run();
    Use(drop_recipient_).integer(row).run();
    Use(drop_unclaimed_message_).id(id).run();
    --size_;
  });
}

std::uint64_t SqliteWriter::erase(MessageId id) {
  return translated("delete a message from", path_, &db_, [&] {
    Use(release_recipients_of_).id(id).run();
    Use(drop_recipients_of_).id(id).run();
    const std::uint64_t pairs = Use(drop_pending_of_).id(id).run();
    Use(drop_message_).id(id).run();
    size_ -= pairs;
    return pairs;
  });
}

std::uint64_t SqliteWriter::expire(WallTime now, std::uint64_t enough) {
  std::vector<MessageId> expired;
  translated("delete expired messages from", path_, &db_, [&] {
    Use due(expired_);
    due.integer(to_millis(now));
    while (due.step()) expired.push_back(due.id_at(0));
  });
  std::uint64_t pairs = 0;
  for (const MessageId id : expired) {
    if (pairs >= enough) break;
    pairs += erase(id);
  }
  return pairs;
}

bool SqliteWriter::reclaim(int pages) {
  return translated("give back free space of", path_, &db_, [&] {
    const std::int64_t free = db_.execAndGet("PRAGMA freelist_count").getInt64() - kReservePages;
    if (free <= 0) return false;
    const std::int64_t now = std::min<std::int64_t>(pages, free);
    db_.exec("PRAGMA incremental_vacuum(" + std::to_string(now) + ")");
    if (now < free) return true;
    // Only a checkpoint shortens the file itself.
    db_.tryExec("PRAGMA wal_checkpoint(PASSIVE)");
    return false;
  });
}

std::int64_t SqliteWriter::recipient_id(const ServiceName& service, const Recipient& recipient) {
  Use find(find_recipient_);
  find.text(recipient.name).kind(recipient.kind).text(service.str());
  return find.step() ? find.integer_at(0) : 0;
}

std::int64_t SqliteWriter::insert_recipient(const ServiceName& service, const Recipient& recipient) {
  Use(insert_recipient_).text(recipient.name).kind(recipient.kind).text(service.str()).run();
  return db_.getLastInsertRowid();
}

}  // namespace sse::delivery
