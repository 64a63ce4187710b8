#include "store/sqlite/sqlite_writer.h"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <algorithm>
#include <iterator>

#include "store/sqlite/sqlite_statement.h"
#include "store/sqlite/translated.h"

namespace sse::store {
namespace {

// Free pages retained for reuse: releasing pages that the next message allocates again would only cost writes.
constexpr std::int64_t kReservePages = 256;
// About 16 MB of log. A smaller log costs fsyncs and rewrites pages more often; a larger one slows down readers, which
// search it.
constexpr int kLogPages = 4000;

}  // namespace

SqliteWriter::SqliteWriter(const Options& o, IdGenerator& ids)
    : path_(o.path),
      limits_(o.limits),
      db_(open_for_writing(o.path, o.sync_every_commit, o.busy_timeout, o.findings)),
      outbox_(db_, path_, limits_, open_),
      pending_(db_, path_, limits_, ids, open_, outbox_),
      dead_(db_, path_, limits_, pending_, open_),
      begin_(prepare(db_, path_, "BEGIN IMMEDIATE")),
      commit_(prepare(db_, path_, "COMMIT")),
      rollback_(prepare(db_, path_, "ROLLBACK")),
      totals_(prepare(db_, path_, "UPDATE total SET pairs = ?, bytes = ?, dead = ?, dead_bytes = ?")) {
  translated("open the database", path_, &db_, [&] {
    SQLite::Statement largest(db_, "SELECT seq FROM sqlite_sequence WHERE name = 'message'");
    if (largest.executeStep()) ids.raise_floor(static_cast<std::uint64_t>(largest.getColumn(0).getInt64()));
    SQLite::Statement totals(db_, "SELECT pairs, bytes, dead, dead_bytes FROM total");
    BoundStatement use(totals);
    if (!use.step()) throw SQLite::Exception("the row of totals is missing", SQLITE_CORRUPT);
    open_.totals.pairs = use.count_at(0);
    open_.totals.bytes = use.count_at(1);
    open_.totals.dead = use.count_at(2);
    open_.totals.dead_bytes = use.count_at(3);
    committed_ = open_.totals;
  });
  // Replaces SQLite's automatic checkpoint inside COMMIT, which would make senders wait.
  sqlite3_wal_hook(
      db_.getHandle(),
      [](void* pages, sqlite3*, const char*, int n) {
        *static_cast<int*>(pages) = n;
        return SQLITE_OK;
      },
      &log_pages_);
}

void SqliteWriter::begin() {
  translated("write to", path_, &db_, [&] { BoundStatement(begin_).run(); });
}

void SqliteWriter::commit() {
  translated("write to", path_, &db_, [&] {
    if (open_.totals != committed_) {
      BoundStatement(totals_)
          .integer(as_integer(open_.totals.pairs))
          .integer(as_integer(open_.totals.bytes))
          .integer(as_integer(open_.totals.dead))
          .integer(as_integer(open_.totals.dead_bytes))
          .run();
    }
    BoundStatement(commit_).run();
  });
  committed_ = open_.totals;
  committed_withdrawn_.insert(committed_withdrawn_.end(), std::make_move_iterator(open_.withdrawn.begin()),
                              std::make_move_iterator(open_.withdrawn.end()));
  open_.withdrawn.clear();
  MadeReports made = std::exchange(open_.made, {});
  committed_reports_.reports.insert(committed_reports_.reports.end(), std::make_move_iterator(made.reports.begin()),
                                    std::make_move_iterator(made.reports.end()));
  committed_reports_.dropped += made.dropped;
}

void SqliteWriter::remove_reports(std::span<const std::uint64_t> numbers) {
  translated("remove delivery reports from", path_, &db_, [&] { outbox_.remove(numbers); });
}

void SqliteWriter::rollback() noexcept {
  // SQLite has already rolled back by itself after most store faults.
  if (sqlite3_get_autocommit(db_.getHandle()) == 0) {
    rollback_.tryExecuteStep();
    rollback_.tryReset();
  }
  open_.totals = committed_;
  open_.withdrawn.clear();
  open_.made = {};
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

void SqliteWriter::checkpoint_if_due() {
  if (log_pages_ < kLogPages) return;
  // 0 until the next commit, so that a failed checkpoint is retried then.
  log_pages_ = 0;
  db_.tryExec("PRAGMA wal_checkpoint(PASSIVE)");
}

}  // namespace sse::store
