#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>

#include <cstdint>
#include <string>

#include "store/sqlite/store_error.h"

namespace sse::store {

/// Runs `f`; what SQLite throws becomes a StoreError about doing `what` to the database at `path`.
template <class F>
auto translated(const char* what, const std::string& path, const SQLite::Database* db, F&& f) {
  try {
    return f();
  } catch (const SQLite::Exception& e) {
    throw store_error(e, what, path, db);
  }
}

/// Prepares a statement while the database is opened. Throws StoreError.
inline SQLite::Statement prepare(const SQLite::Database& db, const std::string& path, const std::string& sql) {
  return translated("open the database", path, &db, [&] { return SQLite::Statement(db, sql); });
}

/// A count as SQLite stores it.
inline std::int64_t as_integer(std::uint64_t n) {
  return static_cast<std::int64_t>(n);
}

}  // namespace sse::store
