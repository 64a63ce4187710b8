#include "store/sqlite/sqlite_check.h"

#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "store/sqlite/sqlite_schema.h"

namespace sse::store {
namespace {

// Columns stored both in a table and in an index. In a table WITHOUT ROWID an index also ends with those columns of the
// primary key that it does not begin with.
struct RedundantColumns {
  int since;  // first format version that has it
  const char* table;
  const char* rows;  // the clause that reads them from the table itself
  const char* index;
  const char* columns;  // in both the table and the index
};
// A table WITHOUT ROWID is its primary key's index: "NOT INDEXED" would still read the other index, which covers it.
constexpr std::array kRedundant{
    RedundantColumns{1, "recipient", "NOT INDEXED", "sqlite_autoindex_recipient_1", "id, name, kind, service"},
    RedundantColumns{1, "message", "NOT INDEXED", "message_by_expiry", "id, expires"},
    RedundantColumns{1, "pending", "INDEXED BY sqlite_autoindex_pending_1", "pending_by_message", "recipient, message"},
    RedundantColumns{2, "collapse", "INDEXED BY sqlite_autoindex_collapse_1", "collapse_by_message",
                     "recipient, word, message"},
    RedundantColumns{2, "sent_key", "INDEXED BY sqlite_autoindex_sent_key_1", "sent_key_by_expiry",
                     "service, key, expires"},
    RedundantColumns{2, "dead", "NOT INDEXED", "dead_by_message", "id, message"},
    RedundantColumns{3, "dead_data", "NOT INDEXED", "dead_data_by_message", "payload, of_message"},
};

constexpr std::uint64_t mix(std::uint64_t x) {
  // The finalizer of splitmix64.
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

std::uint64_t hash(std::uint64_t so_far, sqlite3_value* value) {
  const int type = sqlite3_value_type(value);
  so_far = mix(so_far + static_cast<std::uint64_t>(type) + 0x9E3779B97F4A7C15ULL);
  if (type == SQLITE_NULL) return so_far;
  if (type == SQLITE_INTEGER) return mix(so_far ^ static_cast<std::uint64_t>(sqlite3_value_int64(value)));
  const auto* bytes = static_cast<const char*>(sqlite3_value_blob(value));
  std::size_t left = static_cast<std::size_t>(sqlite3_value_bytes(value));
  so_far = mix(so_far ^ left);
  while (left > 0) {
    std::uint64_t word = 0;
    const std::size_t n = std::min(left, sizeof word);
    std::memcpy(&word, bytes, n);
    so_far = mix(so_far ^ word);
    bytes += n;
    left -= n;
  }
  return so_far;
}

// The sum of the hashes of all rows, which does not depend on their order.
void add_row(sqlite3_context* context, int count, sqlite3_value** values) {
  auto* sum = static_cast<std::uint64_t*>(sqlite3_aggregate_context(context, sizeof(std::uint64_t)));
  if (sum == nullptr) return sqlite3_result_error_nomem(context);
  std::uint64_t row = 0;
  for (int i = 0; i < count; ++i) row = hash(row, values[i]);
  *sum += row;
}

void report_total(sqlite3_context* context) {
  const auto* sum = static_cast<std::uint64_t*>(sqlite3_aggregate_context(context, 0));
  sqlite3_result_int64(context, sum == nullptr ? 0 : static_cast<sqlite3_int64>(*sum));
}

std::vector<std::int64_t> numbers(SQLite::Database& db, const std::string& sql) {
  SQLite::Statement statement(db, sql);
  std::vector<std::int64_t> row;
  if (!statement.executeStep()) return row;
  for (int i = 0; i < statement.getColumnCount(); ++i) row.push_back(statement.getColumn(i).getInt64());
  return row;
}

[[noreturn]] void report_damage(const std::string& finding) {
  throw Error(ErrorCode::kIo, finding);
}

// Ignores white space, which the first versions placed differently.
std::vector<std::string> schema_in(SQLite::Database& db) {
  SQLite::Statement statement(
      db, "SELECT type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY name");
  std::vector<std::string> entries;
  while (statement.executeStep()) {
    std::string entry = statement.getColumn(0).getString();
    std::erase_if(entry, [](unsigned char c) { return std::isspace(c) != 0; });
    entries.push_back(std::move(entry));
  }
  return entries;
}

// Additions by the operator, for example an index, are not damage.
void require_schema(SQLite::Database& db, int version) {
  SQLite::Database sample(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  sample.exec(schema_of(version));
  const std::vector<std::string> found = schema_in(db);
  for (const std::string& entry : schema_in(sample)) {
    if (std::find(found.begin(), found.end(), entry) == found.end())
      report_damage("the definition of a table has changed");
  }
}

// A letter without its data would be empty; with the data of another it would have the wrong content.
void require_data_of_letters(SQLite::Database& db) {
  if (numbers(db, "SELECT count(*), count(DISTINCT payload) FROM dead") !=
      numbers(db,
              "SELECT count(*), (SELECT count(*) FROM dead_data) FROM dead JOIN dead_data USING(payload) "
              "WHERE of_message = message"))
    report_damage("dead letters and their data do not match");
}

bool counts_agree(SQLite::Database& db, int version) {
  const std::string bytes = version >= 2 ? "size" : "0";
  const std::string counted = version >= 2 ? "bytes" : "0";
  if (numbers(db, "SELECT sum(n), count(*), row_sum(recipient, n, b) FROM (SELECT recipient, count(*) AS n, sum(" +
                      bytes + ") AS b FROM pending GROUP BY recipient)") !=
      numbers(db, "SELECT sum(pending), count(*), row_sum(id, pending, " + counted + ") FROM recipient"))
    return false;
  if (version < 2) return true;
  return numbers(db, "SELECT pairs, bytes, dead, dead_bytes FROM total") ==
         numbers(db,
                 "SELECT (SELECT count(*) FROM pending), (SELECT coalesce(sum(length(data)), 0) FROM message), "
                 "(SELECT count(*) FROM dead), (SELECT coalesce(sum(length(data)), 0) FROM " +
                     std::string(version >= 3 ? "dead_data)" : "dead)"));
}

}  // namespace

bool compare_with_indexes(SQLite::Database& db, int version) {
  if (sqlite3_create_function(db.getHandle(), "row_sum", -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr, nullptr,
                              add_row, report_total) != SQLITE_OK)
    throw SQLite::Exception(db.getHandle());
  require_schema(db, version);
  for (const RedundantColumns& redundant : kRedundant) {
    if (redundant.since > version) continue;
    const std::string sums = std::string("SELECT count(*), row_sum(") + redundant.columns + ") FROM " + redundant.table;
    if (numbers(db, sums + " " + redundant.rows) != numbers(db, sums + " INDEXED BY " + redundant.index)) {
      report_damage(std::string("table ") + redundant.table + " and its index " + redundant.index + " differ");
    }
  }
  const std::vector<std::int64_t> ids =
      numbers(db,
              "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'message'), 0), "
              "coalesce((SELECT max(id) FROM message), 0)");
  if (ids.at(0) < ids.at(1)) report_damage("the largest id ever used is smaller than an id in use");
  if (version >= 3) require_data_of_letters(db);
  return counts_agree(db, version);
}

void rebuild_counts(SQLite::Database& db) {
  db.exec("BEGIN IMMEDIATE");
  try {
    db.exec(
        "UPDATE recipient SET pending = p.n, bytes = p.b FROM "
        "(SELECT recipient, count(*) AS n, sum(size) AS b FROM pending GROUP BY recipient) AS p "
        "WHERE p.recipient = recipient.id;"
        "DELETE FROM recipient WHERE NOT EXISTS(SELECT 1 FROM pending AS p WHERE p.recipient = recipient.id);"
        "DELETE FROM total;"
        "INSERT INTO total SELECT 1, (SELECT count(*) FROM pending), "
        "(SELECT coalesce(sum(length(data)), 0) FROM message), (SELECT count(*) FROM dead), "
        "(SELECT coalesce(sum(length(data)), 0) FROM dead_data);");
    db.exec("COMMIT");
  } catch (...) {
    db.tryExec("ROLLBACK");
    throw;
  }
}

}  // namespace sse::store
