#pragma once

#include <SQLiteCpp/Database.h>

#include <string>

namespace sse::delivery {

/// What SQLite does not look at: `PRAGMA quick_check` follows the structure of every page, but does not compare an
/// index with its table, so that one flipped bit in either hides a message from whoever reads through the other.
/// `PRAGMA integrity_check` compares them by a look-up a row; here both are read through once, in the order in which
/// they lie, and a checksum of their entries is compared, which can run beside quick_check on a connection of its own.
///
/// A message has its own checksum (message_checksum()), so that what no index holds is guarded, too.

/// Throws Error(kIo), with the finding as its sentence, when an index and its table do not hold the same entries or the
/// schema is not the one of `version`. Returns false when all that differs is a count that can be made anew from the
/// tables (make_counts_anew()). Reads only. Throws SQLite::Exception, too.
bool compare_with_indexes(SQLite::Database& db, int version);

/// Counts the recipients' and all pending messages and dead letters anew, in one transaction.
void make_counts_anew(SQLite::Database& db);

/// The statements that make a database of `version`.
std::string schema_of(int version);

}  // namespace sse::delivery
