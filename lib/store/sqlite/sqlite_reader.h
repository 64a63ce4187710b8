#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "store/dead_letters.h"
#include "store/message_repository.h"
#include "store/outbox.h"

namespace sse::store {

/// The query that pending() uses to find ids; the tests check SQLite's plan for it.
extern const char* const kPendingIdsSql;

/// The read queries over one connection; one thread at a time. Meanings and results as in MessageRepository and
/// MessageCatalog. Each call sees one snapshot of the database. Throws StoreError.
class SqliteReader {
 public:
  /// `path` is only used in error messages.
  SqliteReader(SQLite::Database db, std::string path);

  std::vector<PendingMessage> pending(const ServiceName& service, std::span<const Recipient> recipients,
                                      MessageId after, std::size_t limit, ByteCount max_bytes, WallTime now);
  std::uint64_t count(const MessageFilter& filter);
  std::vector<PendingMessage> list(const MessageFilter& filter, std::uint64_t skip, std::size_t limit);
  std::vector<PendingMessage> find(MessageId id) { return find_all({&id, 1}); }
  std::vector<PendingMessage> find_all(std::span<const MessageId> ids);
  std::uint64_t count_dead(const MessageFilter& filter);
  std::vector<DeadLetter> page_dead(const MessageFilter& filter, std::size_t limit);
  std::vector<DeadLetter> list_dead(const MessageFilter& filter, std::uint64_t skip, std::size_t limit);
  /// Delivery reports with a number greater than `after`, ascending, up to `limit`. REQUIRES: the file has an outbox.
  std::vector<StoredReport> reports(std::uint64_t after, std::size_t limit);

 private:
  /// `also`: a further condition. `order`: the ORDER BY clause with the parameters LIMIT and OFFSET.
  std::vector<DeadLetter> letters(const MessageFilter& filter, const std::string& also, const std::string& order,
                                  std::size_t limit, std::uint64_t skip);

  SQLite::Database db_;
  std::string path_;
  SQLite::Statement pending_ids_;
  SQLite::Statement message_;
};

}  // namespace sse::store
