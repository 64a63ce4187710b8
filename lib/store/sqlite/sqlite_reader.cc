#include "store/sqlite/sqlite_reader.h"

#include <SQLiteCpp/Transaction.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "store/imported.h"
#include "store/sqlite/message_checksum.h"
#include "store/sqlite/sqlite_file.h"
#include "store/sqlite/sqlite_filter.h"
#include "store/sqlite/sqlite_statement.h"
#include "store/sqlite/translated.h"

namespace sse::store {

const char* const kPendingIdsSql =
    "SELECT p.message FROM pending AS p CROSS JOIN message AS m ON m.id = p.message "
    "WHERE p.recipient = (SELECT id FROM recipient WHERE name = ? AND kind = ? AND service = ?) "
    "AND p.message > ? AND p.message <= ? AND m.expires > ? ORDER BY p.message LIMIT ?";

namespace {

constexpr const char* kWhat = "read pending messages from";

std::int64_t clamp(std::uint64_t n) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(n, std::numeric_limits<std::int64_t>::max()));
}

constexpr const char* kColumns =
    "SELECT m.id, r.service, r.kind, r.name, m.listening, m.event, p.size, m.created, m.expires, p.attempts";

PendingMessage row(const BoundStatement& use) {
  PendingMessage message;
  message.id = use.id_at(0);
  message.service = ServiceName(use.text_at(1));
  message.recipient = {use.kind_at(2), use.text_at(3)};
  message.listening = use.integer_at(4) != 0;
  message.event = use.text_at(5);
  message.data_size = use.count_at(6);
  message.created = from_millis(use.integer_at(7));
  message.expires = from_millis(use.integer_at(8));
  message.attempts = static_cast<std::uint32_t>(use.count_at(9));
  return message;
}

// SQLite does not detect a flipped bit inside a message's row.
bool damaged(const PendingMessage& message, std::int64_t sum) {
  return !matches_checksum(sum, message.id, message.created, message.expires, message.listening, message.event,
                           message.data);
}

}  // namespace

SqliteReader::SqliteReader(SQLite::Database db, std::string path)
    : db_(std::move(db)),
      path_(std::move(path)),
      pending_ids_(translated(kWhat, path_, &db_, [&] { return SQLite::Statement(db_, kPendingIdsSql); })),
      message_(translated(kWhat, path_, &db_, [&] {
        return SQLite::Statement(db_, "SELECT listening, event, created, expires, data, sum FROM message WHERE id = ?");
      })) {}

std::vector<PendingMessage> SqliteReader::pending(const ServiceName& service, std::span<const Recipient> recipients,
                                                  MessageId after, std::size_t limit, ByteCount max_bytes,
                                                  WallTime now) {
  return translated(kWhat, path_, &db_, [&] {
    std::vector<PendingMessage> result;
    if (limit == 0) return result;
    // One snapshot: a message committed between two recipients' queries would otherwise hide an earlier one.
    SQLite::Transaction snapshot(db_, SQLite::TransactionBehavior::DEFERRED);
    std::vector<std::pair<MessageId, const Recipient*>> found;
    std::int64_t upto = std::numeric_limits<std::int64_t>::max();
    std::size_t narrow_at = limit;
    for (const Recipient& recipient : recipients) {
      BoundStatement ids(pending_ids_);
      ids.text(recipient.name).kind(recipient.kind).text(service.str());
      ids.integer(clamp(after.value())).integer(upto).integer(to_millis(now)).integer(clamp(limit));
      while (ids.step()) found.emplace_back(ids.id_at(0), &recipient);
      // Not for each recipient, because it scans all ids found so far.
      if (found.size() >= narrow_at) {
        narrow_at = 2 * found.size();
        const auto last = found.begin() + static_cast<std::ptrdiff_t>(limit - 1);
        std::nth_element(found.begin(), last, found.end(),
                         [](const auto& a, const auto& b) { return a.first < b.first; });
        upto = clamp(last->first.value());
      }
    }
    std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::uint64_t bytes = 0;
    for (const auto& [id, recipient] : found) {
      const bool same_message = !result.empty() && result.back().id == id;
      if (!same_message && !result.empty() && (result.size() >= limit || bytes >= max_bytes.count())) break;
      PendingMessage& message = result.emplace_back();
      message.id = id;
      message.service = service;
      message.recipient = *recipient;
      if (same_message) {
        const PendingMessage& other = result[result.size() - 2];
        message.listening = other.listening;
        message.event = other.event;
        message.created = other.created;
        message.expires = other.expires;
        message.data = other.data;
        message.data_size = other.data_size;
        message.damaged = other.damaged;
        continue;
      }
      BoundStatement payload(message_);
      payload.id(id);
      if (!payload.step()) throw SQLite::Exception("a message has recipients but no content; the file is damaged");
      message.listening = payload.integer_at(0) != 0;
      message.event = payload.text_at(1);
      message.created = from_millis(payload.integer_at(2));
      message.expires = from_millis(payload.integer_at(3));
      message.data = payload.text_at(4);
      message.data_size = message.data.size();
      message.damaged = damaged(message, payload.integer_at(5));
      bytes += message.data_size;
    }
    return result;
  });
}

std::uint64_t SqliteReader::count(const MessageFilter& filter) {
  return translated(kWhat, path_, &db_, [&] {
    const Conditions conditions(filter);
    // Recipients hold their own counts; only filters by event or id need to read each message.
    const std::string sql = filter.event.empty() && !filter.after.valid()
                                ? "SELECT coalesce(sum(r.pending), 0) FROM recipient AS r"
                                : "SELECT count(*) FROM message AS m JOIN pending AS p ON p.message = m.id "
                                  "JOIN recipient AS r ON r.id = p.recipient";
    SQLite::Statement statement(db_, sql + conditions.sql());
    BoundStatement use(statement);
    conditions.bind(use);
    use.step();
    return use.count_at(0);
  });
}

std::vector<PendingMessage> SqliteReader::list(const MessageFilter& filter, std::uint64_t skip, std::size_t limit) {
  return translated(kWhat, path_, &db_, [&] {
    const Conditions conditions(filter);
    // CROSS JOIN fixes the order: from one recipient to its messages, or through the messages by id, which reads only
    // as far as `limit`.
    const std::string from = filter.recipient.empty()
                                 ? " FROM message AS m CROSS JOIN pending AS p ON p.message = m.id "
                                   "CROSS JOIN recipient AS r ON r.id = p.recipient"
                                 : " FROM recipient AS r CROSS JOIN pending AS p ON p.recipient = r.id "
                                   "CROSS JOIN message AS m ON m.id = p.message";
    SQLite::Statement statement(
        db_, kColumns +
                 std::string(", (SELECT c.word FROM collapse AS c WHERE c.message = m.id AND c.recipient = r.id)") +
                 from + conditions.sql() + " ORDER BY m.id, r.kind, r.name LIMIT ? OFFSET ?");
    BoundStatement use(statement);
    conditions.bind(use);
    use.integer(clamp(limit)).integer(clamp(skip));
    std::vector<PendingMessage> result;
    while (use.step()) {
      result.push_back(row(use));
      result.back().collapse = use.text_at(10);
    }
    return result;
  });
}

std::vector<PendingMessage> SqliteReader::find_all(std::span<const MessageId> ids) {
  return translated(kWhat, path_, &db_, [&] {
    SQLite::Statement statement(
        db_, std::string(kColumns) +
                 ", (SELECT c.word FROM collapse AS c WHERE c.message = m.id "
                 "AND c.recipient = r.id), (SELECT k.key FROM sent_key AS k WHERE k.message = m.id AND " +
                 kImported + ")" +
                 // A file that an older version wrote last may lack the table.
                 (db_.tableExists("notify") ? ", EXISTS(SELECT 1 FROM notify AS n WHERE n.message = m.id)" : ", 0") +
                 " FROM message AS m CROSS JOIN pending AS p ON p.message = m.id "
                 "CROSS JOIN recipient AS r ON r.id = p.recipient "
                 "WHERE m.id = ? ORDER BY r.kind, r.name");
    // Not in the statement above, which would read the data for each recipient and sort it.
    SQLite::Transaction snapshot(db_, SQLite::TransactionBehavior::DEFERRED);
    std::vector<PendingMessage> result;
    for (const MessageId id : ids) {
      const std::size_t first = result.size();
      BoundStatement use(statement);
      use.integer(clamp(id.value()));
      while (use.step()) {
        PendingMessage& message = result.emplace_back(row(use));
        message.collapse = use.text_at(10);
        message.original = original_in(use.text_at(11));
        message.notify = use.integer_at(12) != 0;
        if (result.size() > first + 1) {
          message.data = result[first].data;
          message.damaged = result[first].damaged;
          continue;
        }
        BoundStatement payload(message_);
        payload.id(id);
        if (!payload.step()) throw SQLite::Exception("a message has recipients but no content; the file is damaged");
        message.data = payload.text_at(4);
        message.damaged = damaged(message, payload.integer_at(5));
      }
    }
    return result;
  });
}

std::uint64_t SqliteReader::count_dead(const MessageFilter& filter) {
  return translated(kWhat, path_, &db_, [&] {
    const Conditions conditions(filter, Conditions::kDead);
    SQLite::Statement statement(db_, "SELECT count(*) FROM dead" + conditions.sql());
    BoundStatement use(statement);
    conditions.bind(use);
    use.step();
    return use.count_at(0);
  });
}

std::vector<DeadLetter> SqliteReader::list_dead(const MessageFilter& filter, std::uint64_t skip, std::size_t limit) {
  return letters(filter, "", " ORDER BY id LIMIT ? OFFSET ?", limit, skip);
}

// Returns all letters of the messages up to the one at the limit.
std::vector<DeadLetter> SqliteReader::page_dead(const MessageFilter& filter, std::size_t limit) {
  const Conditions conditions(filter, Conditions::kDead);
  std::int64_t through = 0;
  translated(kWhat, path_, &db_, [&] {
    SQLite::Statement last(
        db_, "SELECT max(message) FROM (SELECT message FROM dead" + conditions.sql() + " ORDER BY message LIMIT ?)");
    BoundStatement use(last);
    conditions.bind(use);
    use.integer(clamp(limit));
    if (use.step()) through = use.integer_at(0);
  });
  return letters(filter, "message <= " + std::to_string(through), " ORDER BY message, id LIMIT ? OFFSET ?", SIZE_MAX,
                 0);
}

std::vector<DeadLetter> SqliteReader::letters(const MessageFilter& filter, const std::string& also,
                                              const std::string& order, std::size_t limit, std::uint64_t skip) {
  return translated(kWhat, path_, &db_, [&] {
    const Conditions conditions(filter, Conditions::kDead);
    std::string where = conditions.sql();
    if (!also.empty()) where += (where.empty() ? " WHERE " : " AND ") + also;
    SQLite::Statement statement(
        db_,
        "SELECT message, service, kind, recipient, listening, event, length(data), created, expires, attempts, "
        "died, payload, c.word, c.original, n.dead FROM dead LEFT JOIN dead_data USING(payload) "
        "LEFT JOIN dead_collapse AS c ON c.dead = id LEFT JOIN dead_notify AS n ON n.dead = id" +
            where + order);
    SQLite::Statement data_of(db_, "SELECT data FROM dead_data WHERE payload = ?");
    std::int64_t payload = 0;
    BoundStatement use(statement);
    conditions.bind(use);
    use.integer(clamp(limit)).integer(clamp(skip));
    std::vector<DeadLetter> result;
    while (use.step()) {
      DeadLetter& letter = result.emplace_back(DeadLetter{row(use), from_millis(use.integer_at(10))});
      // Letters of one message are adjacent and share its data.
      if (const std::int64_t own = use.integer_at(11); result.size() > 1 && own == payload) {
        letter.message.data = result[result.size() - 2].message.data;
      } else {
        BoundStatement data(data_of);
        data.integer(own);
        if (data.step()) letter.message.data = Payload(data.text_at(0));
        payload = own;
      }
      letter.message.collapse = use.text_at(12);
      if (use.count_at(13) != 0) letter.message.original = use.id_at(13);
      letter.message.notify = use.integer_at(14) != 0;
    }
    return result;
  });
}

std::vector<StoredReport> SqliteReader::reports(std::uint64_t after, std::size_t limit) {
  return translated("read delivery reports from", path_, &db_, [&] {
    SQLite::Statement statement(db_,
                                "SELECT id, outcome, service, kind, recipient, message, original, event, key, created, "
                                "time, attempts FROM outbox WHERE id > ? ORDER BY id LIMIT ?");
    BoundStatement use(statement);
    use.integer(clamp(after)).integer(clamp(limit));
    std::vector<StoredReport> found;
    while (use.step()) {
      DeliveryReport report;
      report.outcome = static_cast<DeliveryReport::Outcome>(use.integer_at(1));
      report.service = ServiceName(use.text_at(2));
      report.recipient = {use.kind_at(3), use.text_at(4)};
      report.id = use.id_at(5);
      report.original = use.id_at(6);
      report.event = use.text_at(7);
      report.key = use.text_at(8);
      report.created = from_millis(use.integer_at(9));
      report.time = from_millis(use.integer_at(10));
      report.attempts = static_cast<std::uint32_t>(use.count_at(11));
      found.push_back({use.count_at(0), std::move(report)});
    }
    return found;
  });
}

}  // namespace sse::store
