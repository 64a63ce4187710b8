#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "store/message_repository.h"
#include "support/errors.h"
#include "support/eventually.h"
#include "support/files.h"

namespace sse::store {

using testing::error_of;
using testing::eventually;
using testing::read_file;
using testing::TempFolder;
using testing::write_file;

inline const ServiceName kService("defaultConnectionService");
inline const WallTime kNow = from_millis(1'700'000'000'000);
inline constexpr MessageId kFromStart{};
inline constexpr ByteCount kAnySize = mebibytes(1000);

/// The name of the database in a TempFolder.
inline constexpr const char* kDatabase = "pending.db";

/// A database as version 0.1 of the server wrote it: the application id is "sseq".
inline constexpr const char* kFormat1 = R"sql(
PRAGMA auto_vacuum=INCREMENTAL;
PRAGMA application_id=1936942449;
PRAGMA user_version=1;
CREATE TABLE recipient(id INTEGER PRIMARY KEY, name TEXT NOT NULL, kind INTEGER NOT NULL, service TEXT NOT NULL,
  pending INTEGER NOT NULL, UNIQUE(name, kind, service));
CREATE TABLE message(id INTEGER PRIMARY KEY AUTOINCREMENT, created INTEGER NOT NULL, expires INTEGER NOT NULL,
  listening INTEGER NOT NULL, event TEXT NOT NULL, data BLOB NOT NULL);
CREATE INDEX message_by_expiry ON message(expires);
CREATE TABLE pending(recipient INTEGER NOT NULL, message INTEGER NOT NULL, PRIMARY KEY(recipient, message)) WITHOUT ROWID;
CREATE INDEX pending_by_message ON pending(message);
INSERT INTO recipient VALUES(1, '1', 0, 'defaultConnectionService', 2), (2, '2', 0, 'defaultConnectionService', 1);
INSERT INTO message VALUES(1000, 1700000000000, 1700003600000, 0, 'server-push', CAST('for two' AS BLOB)),
  (1001, 1700000000000, 1700003600000, 1, 'note', CAST('wörter' AS BLOB));
INSERT INTO pending VALUES(1, 1000), (2, 1000), (1, 1001);
PRAGMA journal_mode=WAL;
)sql";

/// What later versions, which did not share the data of dead letters, made of it, and three dead letters of theirs.
inline constexpr const char* kFormat2 = R"sql(
PRAGMA user_version=2;
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
INSERT INTO dead VALUES
  (1, 900, 'defaultConnectionService', 0, '1', 0, 'note', 1699990000000, 1699993600000, 1699993600100, 2, CAST('for two' AS BLOB)),
  (2, 900, 'defaultConnectionService', 0, '2', 0, 'note', 1699990000000, 1699993600000, 1699993600100, 0, CAST('for two' AS BLOB)),
  (3, 901, 'defaultConnectionService', 0, '1', 1, 'news', 1699990000000, 1699993600000, 1699993600200, 1, CAST('for two' AS BLOB));
UPDATE total SET dead = 3, dead_bytes = 21;
)sql";

inline Recipient user(std::string name) {
  return {event::TargetKind::kUser, std::move(name)};
}

inline NewMessage to_users(std::vector<std::string> names, std::string data = "hi") {
  return {kService,      {event::TargetKind::kUser, std::move(names), false},
          "server-push", std::move(data),
          kNow,          kNow + std::chrono::hours(1)};
}

inline std::vector<MessageId> ids_of(const std::vector<PendingMessage>& messages) {
  std::vector<MessageId> ids;
  for (const PendingMessage& message : messages) ids.push_back(message.id);
  return ids;
}

inline std::vector<std::string> data_of(const std::vector<PendingMessage>& messages) {
  std::vector<std::string> data;
  for (const PendingMessage& message : messages) data.push_back(message.data);
  return data;
}

inline std::vector<PendingMessage> pending_of(MessageRepository& repository, const Recipient& recipient) {
  return repository.pending(kService, std::vector{recipient}, kFromStart, 1'000'000, kAnySize, kNow);
}

/// Another program with the same file: SQLite without any of our code.
class Shell {
 public:
  explicit Shell(const std::string& path) {
    if (sqlite3_open(path.c_str(), &db_) != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(db_));
    sqlite3_busy_timeout(db_, 10'000);
  }
  ~Shell() { sqlite3_close(db_); }
  Shell(const Shell&) = delete;
  Shell& operator=(const Shell&) = delete;

  /// Runs the statements; the last column of the last row, as text.
  std::string run(const std::string& sql) {
    std::string last;
    char* error = nullptr;
    const auto keep = [](void* out, int n, char** values, char**) {
      *static_cast<std::string*>(out) = values[n - 1] == nullptr ? "" : values[n - 1];
      return 0;
    };
    if (sqlite3_exec(db_, sql.c_str(), keep, &last, &error) != SQLITE_OK) {
      const std::string what = error;
      sqlite3_free(error);
      throw std::runtime_error(what);
    }
    return last;
  }

 private:
  sqlite3* db_ = nullptr;
};

}  // namespace sse::store
