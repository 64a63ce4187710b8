#pragma once

#include <SQLiteCpp/Database.h>

namespace sse::store {

/// Checks that SQLite does not do itself. `PRAGMA quick_check` verifies the structure of every page but does not
/// compare an index with its table, so one flipped bit in either can hide a message from queries that use the other.
/// `PRAGMA integrity_check` compares them with one look-up per row. These functions read both once, sequentially, and
/// compare checksums of their entries; this can run beside quick_check on its own connection.
///
/// Every message also has a checksum (message_checksum()), which guards the columns that no index holds.

/// Throws Error(kIo), with the finding as its sentence, when an index and its table do not hold the same entries or the
/// schema is not that of `version`. Returns false when only a count differs, which rebuild_counts() can rebuild from
/// the tables. Reads only. Also throws SQLite::Exception.
bool compare_with_indexes(SQLite::Database& db, int version);

/// Recounts the messages of every recipient, all pending messages and all dead letters, in one transaction.
void rebuild_counts(SQLite::Database& db);

}  // namespace sse::store
