#pragma once

#include <SQLiteCpp/Database.h>

#include <string>

namespace sse::store {

/// The SQL that makes a database of format `version` out of one of format `from`; 0: an empty one.
std::string schema_of(int version, int from = 0);

/// Creates the tables and indexes that are no part of a format where they are missing: programs that do not know them
/// can still use the file.
void add_extra_tables(SQLite::Database& db);

}  // namespace sse::store
