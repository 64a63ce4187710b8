#include "store/sqlite/sqlite_schema.h"

#include <array>
#include <cstddef>

#include "store/sqlite/sqlite_file.h"

namespace sse::store {
namespace {

// `data` is last: SQLite reads the columns before it without following a large row's overflow pages.
constexpr const char* kFormat1 = R"sql(
CREATE TABLE recipient(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  kind INTEGER NOT NULL,
  service TEXT NOT NULL,
  pending INTEGER NOT NULL,
  UNIQUE(name, kind, service));
CREATE TABLE message(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  listening INTEGER NOT NULL,
  event TEXT NOT NULL,
  data BLOB NOT NULL);
CREATE INDEX message_by_expiry ON message(expires);
CREATE TABLE pending(
  recipient INTEGER NOT NULL,
  message INTEGER NOT NULL,
  PRIMARY KEY(recipient, message)) WITHOUT ROWID;
CREATE INDEX pending_by_message ON pending(message);
)sql";

constexpr const char* kFormat2 = R"sql(
ALTER TABLE recipient ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN sum INTEGER NOT NULL DEFAULT -1;
ALTER TABLE pending ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pending ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
UPDATE pending SET size = (SELECT length(m.data) FROM message AS m WHERE m.id = pending.message);
UPDATE recipient SET bytes = (SELECT coalesce(sum(p.size), 0) FROM pending AS p WHERE p.recipient = recipient.id);
CREATE TABLE collapse(
  recipient INTEGER NOT NULL,
  word TEXT NOT NULL,
  message INTEGER NOT NULL,
  PRIMARY KEY(recipient, word)) WITHOUT ROWID;
CREATE INDEX collapse_by_message ON collapse(message, recipient);
CREATE TABLE sent_key(
  service TEXT NOT NULL,
  key TEXT NOT NULL,
  message INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  PRIMARY KEY(service, key)) WITHOUT ROWID;
CREATE INDEX sent_key_by_expiry ON sent_key(expires);
CREATE TABLE dead(
  id INTEGER PRIMARY KEY,
  message INTEGER NOT NULL,
  service TEXT NOT NULL,
  kind INTEGER NOT NULL,
  recipient TEXT NOT NULL,
  listening INTEGER NOT NULL,
  event TEXT NOT NULL,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  died INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  data BLOB NOT NULL);
CREATE INDEX dead_by_message ON dead(message);
CREATE TABLE total(
  one INTEGER PRIMARY KEY CHECK(one = 1),
  pairs INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  dead INTEGER NOT NULL,
  dead_bytes INTEGER NOT NULL);
INSERT INTO total SELECT 1, (SELECT count(*) FROM pending), (SELECT coalesce(sum(length(data)), 0) FROM message), 0, 0;
)sql";

// Stores the data of dead letters once per message.
constexpr const char* kFormat3 = R"sql(
CREATE TABLE dead_data(
  payload INTEGER PRIMARY KEY,
  of_message INTEGER NOT NULL,
  data BLOB NOT NULL);
INSERT INTO dead_data SELECT min(id), message, data FROM dead GROUP BY message, data;
CREATE INDEX dead_data_by_message ON dead_data(of_message);
ALTER TABLE dead ADD COLUMN payload INTEGER NOT NULL DEFAULT 0;
UPDATE dead SET payload =
  (SELECT d.payload FROM dead_data AS d WHERE d.of_message = dead.message AND d.data = dead.data);
ALTER TABLE dead DROP COLUMN data;
UPDATE total SET dead_bytes = (SELECT coalesce(sum(length(data)), 0) FROM dead_data);
)sql";

constexpr std::array kFormats{kFormat1, kFormat2, kFormat3};

static_assert(kFormats.size() == kSchemaVersion);

// Data that format 2 has no column for. Programs that do not know these tables can still use the file.
constexpr const char* kExtraTables = R"sql(
CREATE TABLE IF NOT EXISTS dead_collapse(
  dead INTEGER PRIMARY KEY,
  word TEXT NOT NULL,
  original INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS dead_by_original ON dead_collapse(original) WHERE original <> 0;
CREATE TRIGGER IF NOT EXISTS dead_gone AFTER DELETE ON dead BEGIN
  DELETE FROM dead_collapse WHERE dead = old.id;
END;
CREATE TABLE IF NOT EXISTS notify(
  message INTEGER PRIMARY KEY,
  key TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS message_gone AFTER DELETE ON message BEGIN
  DELETE FROM notify WHERE message = old.id;
END;
CREATE TABLE IF NOT EXISTS dead_notify(
  dead INTEGER PRIMARY KEY);
CREATE TRIGGER IF NOT EXISTS dead_notify_gone AFTER DELETE ON dead BEGIN
  DELETE FROM dead_notify WHERE dead = old.id;
END;
CREATE TABLE IF NOT EXISTS outbox(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  size INTEGER NOT NULL,
  outcome INTEGER NOT NULL,
  service TEXT NOT NULL,
  kind INTEGER NOT NULL,
  recipient TEXT NOT NULL,
  message INTEGER NOT NULL,
  original INTEGER NOT NULL,
  event TEXT NOT NULL,
  key TEXT NOT NULL,
  created INTEGER NOT NULL,
  time INTEGER NOT NULL,
  attempts INTEGER NOT NULL);
)sql";

}  // namespace

std::string schema_of(int version, int from) {
  std::string schema;
  for (int step = from; step < version && step < kSchemaVersion; ++step)
    schema += kFormats.at(static_cast<std::size_t>(step));
  return schema;
}

void add_extra_tables(SQLite::Database& db) {
  db.exec(std::string("CREATE INDEX IF NOT EXISTS sent_key_of_import ON sent_key(message) WHERE ") + kImported);
  db.exec(kExtraTables);
}

}  // namespace sse::store
