#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/ids.h"
#include "store/message_repository.h"
#include "store/outbox.h"
#include "store/sqlite/open_transaction.h"
#include "store/store_limits.h"

namespace sse::store {

/// The delivery reports of the writing connection: the tables `notify` and `outbox`. One thread at a time, inside a
/// transaction of SqliteWriter. All methods throw SQLite::Exception when SQLite fails.
class SqliteOutbox {
 public:
  /// References must outlive this. `path` is named in errors. Counts the reports in the file.
  SqliteOutbox(const SQLite::Database& db, const std::string& path, const StoreLimits& limits, OpenTransaction& open);

  /// Makes the removals of a message's pairs be reported. `key`: of its sender.
  void note(MessageId id, const std::string& key);
  /// The report of a pair that is about to be removed, without outcome, time and original; nothing if it needs none.
  /// `recipient`: its row.
  std::optional<DeliveryReport> begin(std::int64_t recipient, MessageId id);
  /// Stores the report, and drops the oldest ones that there is no room for.
  void add(DeliveryReport report);
  /// Removes reports; unknown ones are ignored.
  void remove(std::span<const std::uint64_t> numbers);

 private:
  void drop_oldest();

  const StoreLimits& limits_;
  OpenTransaction& open_;
  SQLite::Statement note_, describe_, insert_, oldest_, drop_;
};

}  // namespace sse::store
