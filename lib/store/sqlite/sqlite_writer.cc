#include "store/sqlite/sqlite_writer.h"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/step_count.h"
#include "store/imported.h"
#include "store/sqlite/message_checksum.h"
#include "store/sqlite/sqlite_file.h"
#include "store/sqlite/sqlite_filter.h"
#include "store/sqlite/sqlite_statement.h"
#include "store/sqlite/store_error.h"

namespace sse::store {
namespace {

// Free pages retained for reuse: releasing pages that the next message allocates again would only cost writes.
constexpr std::int64_t kReservePages = 256;
// About 16 MB of log. A smaller log costs fsyncs and rewrites pages more often; a larger one slows down readers, which
// search it.
constexpr int kLogPages = 4000;
// Data copied into dead letters in one transaction: senders wait for its end.
constexpr std::uint64_t kDeadBatchBytes = std::uint64_t{4} << 20;
constexpr std::uint64_t kExpiredAtOnce = 1000;

template <class F>
auto translated(const char* what, const std::string& path, const SQLite::Database* db, F&& f) {
  try {
    return f();
  } catch (const SQLite::Exception& e) {
    throw store_error(e, what, path, db);
  }
}

SQLite::Statement prepare(const SQLite::Database& db, const std::string& path, const std::string& sql) {
  return translated("open the database", path, &db, [&] { return SQLite::Statement(db, sql); });
}

std::int64_t as_integer(std::uint64_t n) {
  return static_cast<std::int64_t>(n);
}

}  // namespace

SqliteWriter::SqliteWriter(const Options& o, IdGenerator& ids)
    : path_(o.path),
      limits_(o.limits),
      ids_(ids),
      db_(open_for_writing(o.path, o.sync_every_commit, o.busy_timeout, o.findings)),
      begin_(prepare(db_, path_, "BEGIN IMMEDIATE")),
      commit_(prepare(db_, path_, "COMMIT")),
      rollback_(prepare(db_, path_, "ROLLBACK")),
      totals_(prepare(db_, path_, "UPDATE total SET pairs = ?, bytes = ?, dead = ?, dead_bytes = ?")),
      find_recipient_(
          prepare(db_, path_, "SELECT id, pending, bytes FROM recipient WHERE name = ? AND kind = ? AND service = ?")),
      insert_recipient_(
          prepare(db_, path_, "INSERT INTO recipient(name, kind, service, pending, bytes) VALUES(?, ?, ?, 1, ?)")),
      count_recipient_(
          prepare(db_, path_, "UPDATE recipient SET pending = pending + 1, bytes = bytes + ? WHERE id = ?")),
      release_recipient_(
          prepare(db_, path_, "UPDATE recipient SET pending = pending - 1, bytes = bytes - ? WHERE id = ?")),
      drop_recipient_(prepare(db_, path_, "DELETE FROM recipient WHERE id = ? AND pending = 0")),
      insert_message_(prepare(db_, path_,
                              "INSERT INTO message(id, created, expires, listening, event, data, sum) "
                              "VALUES(?, ?, ?, ?, ?, ?, ?)")),
      drop_unclaimed_message_(prepare(
          db_, path_, "DELETE FROM message WHERE id = ?1 AND NOT EXISTS(SELECT 1 FROM pending WHERE message = ?1)")),
      insert_pending_(prepare(db_, path_, "INSERT INTO pending(recipient, message, size) VALUES(?, ?, ?)")),
      drop_pending_(prepare(db_, path_, "DELETE FROM pending WHERE recipient = ? AND message = ? RETURNING size")),
      recipients_of_(prepare(db_, path_, "SELECT recipient FROM pending WHERE message = ?")),
      count_attempts_(
          prepare(db_, path_, "UPDATE pending SET attempts = attempts + ? WHERE recipient = ? AND message = ?")),
      find_collapsing_(prepare(db_, path_,
                               "SELECT c.message, p.size FROM collapse AS c CROSS JOIN pending AS p "
                               "ON p.recipient = c.recipient AND p.message = c.message "
                               "WHERE c.recipient = ? AND c.word = ?")),
      put_collapsing_(prepare(db_, path_, "INSERT OR REPLACE INTO collapse(recipient, word, message) VALUES(?, ?, ?)")),
      drop_collapsing_(prepare(db_, path_, "DELETE FROM collapse WHERE message = ? AND recipient = ?")),
      find_key_(prepare(db_, path_, "SELECT message FROM sent_key WHERE service = ? AND key = ? AND expires > ?")),
      put_key_(
          prepare(db_, path_, "INSERT OR REPLACE INTO sent_key(service, key, message, expires) VALUES(?, ?, ?, ?)")),
      count_pending_of_(prepare(db_, path_, "SELECT count(*) FROM pending WHERE message = ?")),
      expire_keys_(prepare(db_, path_, "DELETE FROM sent_key WHERE expires <= ?")),
      find_import_(prepare(db_, path_, std::string("SELECT key FROM sent_key WHERE message = ? AND ") + kImported)),
      is_pending_(prepare(db_, path_, "SELECT 1 FROM pending WHERE recipient = ? AND message = ?")),
      expired_(prepare(db_, path_, "SELECT id FROM message WHERE expires <= ? ORDER BY expires LIMIT ?")),
      // Without ORDER BY: the index order suffices, and SQLite then reads no further than LIMIT.
      some_recipients_of_(prepare(db_, path_, "SELECT recipient, size FROM pending WHERE message = ? LIMIT ?")),
      count_up_to_(prepare(db_, path_, "SELECT count(*) FROM (SELECT 1 FROM pending WHERE message = ? LIMIT ?)")),
      insert_dead_(
          prepare(db_, path_,
                  "INSERT INTO dead(message, service, kind, recipient, listening, event, created, expires, died, "
                  "attempts, payload) SELECT m.id, r.service, r.kind, r.name, m.listening, m.event, m.created, "
                  "m.expires, ?3, p.attempts, ?4 FROM message AS m CROSS JOIN pending AS p ON p.message = m.id "
                  "CROSS JOIN recipient AS r ON r.id = p.recipient WHERE m.id = ?1 AND p.recipient = ?2")),
      insert_dead_collapse_(
          prepare(db_, path_,
                  "INSERT INTO dead_collapse(dead, word, original) SELECT ?1, word, ?4 FROM (SELECT coalesce("
                  "(SELECT c.word FROM collapse AS c WHERE c.message = ?2 AND c.recipient = ?3), '') AS word) "
                  "WHERE word <> '' OR ?4 <> 0")),
      insert_dead_data_(
          prepare(db_, path_, "INSERT INTO dead_data(of_message, data) SELECT id, data FROM message WHERE id = ?")),
      find_moved_data_(prepare(db_, path_,
                               "SELECT d.payload FROM message AS m CROSS JOIN dead_data AS d ON d.of_message = m.id "
                               "AND d.data = m.data WHERE m.id = ?")),
      find_dead_data_(prepare(db_, path_, "SELECT payload FROM dead_data WHERE of_message = ? AND data = ?")),
      put_dead_data_(prepare(db_, path_, "INSERT INTO dead_data(of_message, data) VALUES(?, ?)")),
      // Not one DELETE … RETURNING: SQLite would keep an undo record for each, and inside a savepoint walk through all
      // of them to release it.
      unused_dead_data_(prepare(db_, path_,
                                "SELECT length(data) FROM dead_data WHERE payload = ?1 AND NOT EXISTS(SELECT 1 FROM "
                                "dead WHERE dead.message = of_message AND dead.payload = ?1)")),
      drop_dead_data_(prepare(db_, path_, "DELETE FROM dead_data WHERE payload = ?")),
      oldest_dead_(prepare(db_, path_, "SELECT id, payload FROM dead ORDER BY id LIMIT 1")),
      dead_data_(prepare(db_, path_, "SELECT data FROM dead_data WHERE payload = ?")),
      drop_dead_(prepare(db_, path_, "DELETE FROM dead WHERE id = ?")),
      describe_recipient_(prepare(db_, path_, "SELECT service, kind, name FROM recipient WHERE id = ?")),
      letters_of_(prepare(db_, path_, "SELECT service, kind, recipient FROM dead WHERE message = ?")),
      letters_by_original_(
          prepare(db_, path_,
                  "SELECT service, kind, recipient FROM dead_collapse AS c CROSS JOIN dead ON id = c.dead "
                  "WHERE c.original = ? AND c.original <> 0")),
      insert_letter_(prepare(db_, path_,
                             "INSERT INTO dead(message, service, kind, recipient, listening, event, created, expires, "
                             "died, attempts, payload) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")),
      insert_letter_collapse_(prepare(db_, path_, "INSERT INTO dead_collapse(dead, word, original) VALUES(?, ?, ?)")) {
  translated("open the database", path_, &db_, [&] {
    SQLite::Statement largest(db_, "SELECT seq FROM sqlite_sequence WHERE name = 'message'");
    if (largest.executeStep()) ids_.raise_floor(static_cast<std::uint64_t>(largest.getColumn(0).getInt64()));
    SQLite::Statement totals(db_, "SELECT pairs, bytes, dead, dead_bytes FROM total");
    BoundStatement use(totals);
    if (!use.step()) throw SQLite::Exception("the row of totals is missing", SQLITE_CORRUPT);
    now_ = committed_ = {use.count_at(0), use.count_at(1), use.count_at(2), use.count_at(3)};
  });
  // Replaces SQLite's automatic checkpoint inside COMMIT, which would make senders wait.
  sqlite3_wal_hook(
      db_.getHandle(),
      [](void* pages, sqlite3*, const char*, int n) {
        *static_cast<int*>(pages) = n;
        return SQLITE_OK;
      },
      &log_pages_);
}

void SqliteWriter::begin() {
  translated("write to", path_, &db_, [&] { BoundStatement(begin_).run(); });
}

void SqliteWriter::commit() {
  translated("write to", path_, &db_, [&] {
    if (now_ != committed_) {
      BoundStatement(totals_)
          .integer(as_integer(now_.pairs))
          .integer(as_integer(now_.bytes))
          .integer(as_integer(now_.dead))
          .integer(as_integer(now_.dead_bytes))
          .run();
    }
    BoundStatement(commit_).run();
  });
  committed_ = now_;
  committed_withdrawn_.insert(committed_withdrawn_.end(), std::make_move_iterator(withdrawn_.begin()),
                              std::make_move_iterator(withdrawn_.end()));
  withdrawn_.clear();
}

void SqliteWriter::rollback() noexcept {
  // SQLite has already rolled back by itself after most store faults.
  if (sqlite3_get_autocommit(db_.getHandle()) == 0) {
    rollback_.tryExecuteStep();
    rollback_.tryReset();
  }
  now_ = committed_;
  withdrawn_.clear();
}

AddOutcome SqliteWriter::add(const NewMessage& message) {
  constexpr std::size_t kSqliteMost = 1'000'000'000;  // SQLITE_MAX_LENGTH
  if (message.data.size() + message.event.size() > kSqliteMost - 1000) {
    throw Error(ErrorCode::kTooLarge, "a message of " + std::to_string(message.data.size()) +
                                          " bytes cannot be stored; the limit is one gigabyte");
  }
  return translated("store a message in", path_, &db_, [&] {
    AddOutcome outcome;
    if (message.repeats.valid()) {
      outcome.id = message.repeats;
      outcome.repeated = true;
      outcome.pending = 1;
      return outcome;
    }
    if (known_key(message, outcome)) return outcome;
    if (message.original.valid() && known_import(message, outcome)) return outcome;
    std::vector<std::string> names = message.target.names;
    if (message.target.kind == event::TargetKind::kAll) names.assign(1, "");
    Usage total{now_.pairs, now_.bytes};
    std::vector<Place> places;
    places.reserve(names.size());
    for (const std::string& name : names) {
      places.push_back(require_place(message, {message.target.kind, name}, total));
    }
    require_room(limits_, total, names.size(), message.data.size());
    outcome.id = MessageId(ids_.next());
    outcome.pending = names.size();
    insert(message, outcome.id, names, places);
    return outcome;
  });
}

bool SqliteWriter::known_key(const NewMessage& message, AddOutcome& outcome) {
  if (message.key.empty()) return false;
  BoundStatement find(find_key_);
  find.text(message.service.str()).text(message.key).integer(to_millis(message.created));
  if (!find.step()) return false;
  outcome.id = find.id_at(0);
  outcome.repeated = true;
  BoundStatement count(count_pending_of_);
  count.id(outcome.id);
  count.step();
  outcome.pending = count.count_at(0);
  return true;
}

bool SqliteWriter::known_import(const NewMessage& message, AddOutcome& outcome) {
  const std::string name = message.target.names.empty() ? "" : message.target.names.front();
  const std::int64_t recipient = recipient_id(message.service, {message.target.kind, name});
  if (recipient == 0) return false;
  const auto known = [&](MessageId id) {
    outcome.id = id;
    outcome.repeated = true;
    outcome.pending = 1;
    return true;
  };
  {
    BoundStatement there(is_pending_);
    there.integer(recipient).id(message.original);
    if (there.step()) return known(message.original);
  }
  if (message.collapse.empty()) return false;
  MessageId same;
  {
    BoundStatement find(find_collapsing_);
    find.integer(recipient).text(message.collapse);
    if (!find.step()) return false;
    same = find.id_at(0);
  }
  return first_id(same) > message.original && known(same);
}

std::vector<MessageId> SqliteWriter::known_imports(std::span<const NewMessage> messages) {
  return translated("read", path_, &db_, [&] {
    std::vector<MessageId> ids;
    ids.reserve(messages.size());
    for (const NewMessage& message : messages) {
      AddOutcome outcome;
      const bool known = known_key(message, outcome) || known_import(message, outcome);
      ids.push_back(known ? outcome.id : MessageId());
    }
    return ids;
  });
}

// The first id of a pending message: before it was imported or requeued from the dead letters.
MessageId SqliteWriter::first_id(MessageId id) {
  MessageId first = id;
  if (BoundStatement find(find_import_); find.id(id).step()) first = original_in(find.text_at(0));
  return first;
}

MessageRepository::Replaced SqliteWriter::replace_older(const ServiceName& service, const Recipient& recipient,
                                                        const std::string& collapse, MessageId than) {
  return translated("replace a message in", path_, &db_, [&]() -> MessageRepository::Replaced {
    const std::int64_t row = recipient_id(service, recipient);
    if (row == 0) return {};
    MessageId same;
    if (BoundStatement find(find_collapsing_); find.integer(row).text(collapse).step()) same = find.id_at(0);
    if (!same.valid()) return {};
    const MessageId first = first_id(same);
    if (first >= than) return {0, first > than ? first : MessageId()};
    withdraw(row, same, Withdrawn::Why::kReplaced);
    return {1, {}};
  });
}

// Checks the limits against the recipient's current use less the message that this one replaces.
SqliteWriter::Place SqliteWriter::require_place(const NewMessage& message, const Recipient& recipient, Usage& total) {
  Place place;
  Usage usage;
  BoundStatement find(find_recipient_);
  find.text(recipient.name).kind(recipient.kind).text(message.service.str());
  if (find.step()) {
    place.recipient = find.integer_at(0);
    usage = {find.count_at(1), find.count_at(2)};
  }
  if (place.recipient != 0 && !message.collapse.empty()) {
    BoundStatement same(find_collapsing_);
    same.integer(place.recipient).text(message.collapse);
    if (same.step()) {
      place.replaced = same.id_at(0);
      --usage.count;
      --total.count;
      usage.bytes -= same.count_at(1);
    }
  }
  require_room(limits_, recipient, usage, message.data.size());
  return place;
}

void SqliteWriter::insert(const NewMessage& message, MessageId id, const std::vector<std::string>& names,
                          std::vector<Place>& places) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    // drop() deletes the recipient with its last message; it must then be inserted again.
    if (!places[i].replaced.valid() || !drop(places[i].recipient, places[i].replaced)) continue;
    const Recipient recipient{message.target.kind, names[i]};
    withdrawn_.push_back({message.service, recipient, places[i].replaced, Withdrawn::Why::kReplaced});
    places[i].recipient = recipient_id(message.service, recipient);
  }
  const std::int64_t size = as_integer(message.data.size());
  BoundStatement(insert_message_)
      .id(id)
      .integer(to_millis(message.created))
      .integer(to_millis(message.expires))
      .integer(message.target.listening ? 1 : 0)
      .text(message.event)
      .blob(message.data)
      .integer(
          message_checksum(id, message.created, message.expires, message.target.listening, message.event, message.data))
      .run();
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::int64_t recipient = places[i].recipient;
    if (recipient == 0) {
      recipient = insert_recipient(message.service, {message.target.kind, names[i]}, size);
    } else {
      BoundStatement(count_recipient_).integer(size).integer(recipient).run();
    }
    BoundStatement(insert_pending_).integer(recipient).id(id).integer(size).run();
    if (!message.collapse.empty())
      BoundStatement(put_collapsing_).integer(recipient).text(message.collapse).id(id).run();
  }
  if (!message.key.empty()) {
    BoundStatement(put_key_)
        .text(message.service.str())
        .text(message.key)
        .id(id)
        .integer(to_millis(message.expires))
        .run();
  }
  now_.pairs += names.size();
  now_.bytes += message.data.size();
}

bool SqliteWriter::confirm(const ServiceName& service, const Recipient& recipient, MessageId id) {
  return translated("store a confirmation in", path_, &db_, [&] {
    const std::int64_t row = recipient_id(service, recipient);
    return row != 0 && drop(row, id);
  });
}

// Removes the message for one recipient, and altogether when that was the last one. True when something was removed.
bool SqliteWriter::drop(std::int64_t recipient, MessageId id) {
  std::optional<std::int64_t> size;
  {
    BoundStatement dropped(drop_pending_);
    dropped.integer(recipient).id(id);
    while (dropped.step()) size = dropped.integer_at(0);
  }
  if (!size) return false;
  BoundStatement(drop_collapsing_).id(id).integer(recipient).run();
  BoundStatement(release_recipient_).integer(*size).integer(recipient).run();
  BoundStatement(drop_recipient_).integer(recipient).run();
  if (BoundStatement(drop_unclaimed_message_).id(id).run() != 0) now_.bytes -= static_cast<std::uint64_t>(*size);
  --now_.pairs;
  return true;
}

void SqliteWriter::note_attempts(const ServiceName& service, const Recipient& recipient, MessageId id,
                                 std::uint32_t attempts) {
  translated("count a delivery in", path_, &db_, [&] {
    if (const std::int64_t row = recipient_id(service, recipient); row != 0)
      BoundStatement(count_attempts_).integer(attempts).integer(row).id(id).run();
  });
}

bool SqliteWriter::withdraw(std::int64_t recipient, MessageId id, Withdrawn::Why why) {
  Withdrawn removed;
  {
    BoundStatement describe(describe_recipient_);
    describe.integer(recipient);
    if (describe.step())
      removed = {ServiceName(describe.text_at(0)), {describe.kind_at(1), describe.text_at(2)}, id, why};
  }
  if (!drop(recipient, id)) return false;
  withdrawn_.push_back(std::move(removed));
  return true;
}

std::uint64_t SqliteWriter::erase(MessageId id) {
  return translated("delete a message from", path_, &db_, [&] {
    std::vector<std::int64_t> recipients;
    {
      BoundStatement find(recipients_of_);
      find.id(id);
      while (find.step()) recipients.push_back(find.integer_at(0));
    }
    for (const std::int64_t recipient : recipients) withdraw(recipient, id, Withdrawn::Why::kDeleted);
    return static_cast<std::uint64_t>(recipients.size());
  });
}

std::uint64_t SqliteWriter::purge(const MessageFilter& filter, std::uint64_t enough) {
  return translated("delete messages from", path_, &db_, [&] {
    const Conditions conditions(filter);
    const std::string sql =
        "SELECT p.recipient, p.message FROM recipient AS r CROSS JOIN pending AS p ON p.recipient = r.id "
        "CROSS JOIN message AS m ON m.id = p.message" +
        conditions.sql() + " LIMIT ?";
    std::vector<std::pair<std::int64_t, MessageId>> pairs;
    {
      SQLite::Statement statement(db_, sql);
      BoundStatement find(statement);
      conditions.bind(find);
      find.integer(as_integer(enough));
      while (find.step()) pairs.emplace_back(find.integer_at(0), find.id_at(1));
    }
    for (const auto& [recipient, id] : pairs) withdraw(recipient, id, Withdrawn::Why::kDeleted);
    return static_cast<std::uint64_t>(pairs.size());
  });
}

std::uint64_t SqliteWriter::expire(WallTime now, std::uint64_t enough) {
  return translated("remove expired messages from", path_, &db_, [&] {
    std::vector<MessageId> expired;
    {
      BoundStatement due(expired_);
      due.integer(to_millis(now)).integer(as_integer(kExpiredAtOnce));
      while (due.step()) expired.push_back(due.id_at(0));
    }
    std::uint64_t pairs = 0;
    std::uint64_t bytes = 0;
    for (const MessageId id : expired) {
      for (;;) {
        if (pairs >= enough || bytes >= kDeadBatchBytes) return pairs;
        const MovedToDead moved_to_dead = move_some_to_dead(id, now, enough - pairs);
        if (moved_to_dead.pairs == 0) break;
        pairs += moved_to_dead.pairs;
        bytes += moved_to_dead.bytes;
      }
    }
    // Only after the expired messages, whose first ids the keys name.
    if (expired.size() < kExpiredAtOnce) BoundStatement(expire_keys_).integer(to_millis(now)).run();
    return pairs;
  });
}

// Handles some of the message's recipients. Skips letters that would be deleted to make room for those of its last
// recipients.
SqliteWriter::MovedToDead SqliteWriter::move_some_to_dead(MessageId id, WallTime now, std::uint64_t most) {
  MovedToDead moved_to_dead;
  std::vector<std::int64_t> recipients;
  std::uint64_t size = 0;
  {
    BoundStatement find(some_recipients_of_);
    find.id(id).integer(as_integer(std::max<std::uint64_t>(most, 1)));
    while (find.step()) {
      recipients.push_back(find.integer_at(0));
      size = find.count_at(1);
    }
  }
  const std::uint64_t room = size > limits_.dead_bytes.count() ? 0 : limits_.dead;
  const MessageId first = first_id(id);
  std::uint64_t left = 0;
  {
    BoundStatement count(count_up_to_);
    count.id(id).integer(as_integer(std::min<std::uint64_t>(room, INT32_MAX) + recipients.size()));
    count.step();
    left = count.count_at(0);
  }
  std::int64_t payload = 0;
  {
    BoundStatement find(find_moved_data_);
    find.id(id);
    if (find.step()) payload = find.integer_at(0);
  }
  for (const std::int64_t recipient : recipients) {
    if (left-- <= room) {
      make_room_for_letter(payload, size);
      if (payload == 0) {
        BoundStatement(insert_dead_data_).id(id).run();
        payload = db_.getLastInsertRowid();
        now_.dead_bytes += size;
        moved_to_dead.bytes += size;
      }
      BoundStatement(insert_dead_).id(id).integer(recipient).integer(to_millis(now)).integer(payload).run();
      BoundStatement(insert_dead_collapse_)
          .integer(db_.getLastInsertRowid())
          .id(id)
          .integer(recipient)
          .id(first == id ? MessageId() : first)
          .run();
      ++now_.dead;
    }
    if (withdraw(recipient, id, Withdrawn::Why::kExpired)) ++moved_to_dead.pairs;
  }
  return moved_to_dead;
}

// `payload`: the row of the letter's data, or 0; making room may delete that row and set it to 0.
void SqliteWriter::make_room_for_letter(std::int64_t& payload, std::uint64_t size) {
  while (now_.dead > 0 &&
         (now_.dead + 1 > limits_.dead || now_.dead_bytes + (payload == 0 ? size : 0) > limits_.dead_bytes.count())) {
    if (drop_oldest_dead() == payload) payload = 0;
  }
}

// Returns the row of the data that was deleted with the letter, or 0.
std::int64_t SqliteWriter::drop_oldest_dead() {
  std::int64_t id = 0;
  std::int64_t payload = 0;
  {
    BoundStatement oldest(oldest_dead_);
    if (!oldest.step()) throw SQLite::Exception("there are fewer dead letters than counted", SQLITE_CORRUPT);
    id = oldest.integer_at(0);
    payload = oldest.integer_at(1);
  }
  return drop_letter(id, payload) ? payload : 0;
}

// Returns whether the letter was the last one with its data.
bool SqliteWriter::drop_letter(std::int64_t id, std::int64_t payload) {
  BoundStatement(drop_dead_).integer(id).run();
  --now_.dead;
  return drop_unused_data(payload);
}

bool SqliteWriter::drop_unused_data(std::int64_t payload) {
  {
    BoundStatement unused(unused_dead_data_);
    unused.integer(payload);
    if (!unused.step()) return false;
    now_.dead_bytes -= unused.count_at(0);
  }
  BoundStatement(drop_dead_data_).integer(payload).run();
  return true;
}

std::vector<MessageId> SqliteWriter::requeue(MessageId id, const MessageFilter& filter, WallTime now) {
  const Totals before = now_;
  return translated("send dead letters again from", path_, &db_, [&] {
    const Conditions conditions(filter, Conditions::kDead);
    SQLite::Statement statement(
        db_,
        "SELECT id, service, kind, recipient, listening, event, created, expires, message, word, original, payload "
        "FROM dead LEFT JOIN dead_collapse AS c ON c.dead = id WHERE (message = ?1 OR ?1 = 0)" +
            conditions.further() + " ORDER BY id");
    struct Letter {
      std::int64_t row, payload;
      NewMessage message;
    };
    std::vector<Letter> letters;
    {
      BoundStatement find(statement);
      find.id(id);
      conditions.bind(find);
      while (find.step()) {
        NewMessage message;
        message.service = ServiceName(find.text_at(1));
        message.target.kind = find.kind_at(2);
        if (message.target.kind != event::TargetKind::kAll) message.target.names.push_back(find.text_at(3));
        message.target.listening = find.integer_at(4) != 0;
        message.event = find.text_at(5);
        message.created = now;
        message.expires = now + std::chrono::milliseconds(find.integer_at(7) - find.integer_at(6));
        message.collapse = find.text_at(9);
        message.original = find.count_at(10) != 0 ? find.id_at(10) : find.id_at(8);
        message.key = import_key(message.original, {message.target.kind, find.text_at(3)});
        letters.push_back({find.integer_at(0), find.integer_at(11), std::move(message)});
      }
    }
    db_.exec("SAVEPOINT requeue");
    const std::size_t withdrawn = withdrawn_.size();
    try {
      std::vector<MessageId> ids;
      for (auto& [row, payload, message] : letters) {
        // One at a time: all of them may not fit into memory.
        {
          BoundStatement data(dead_data_);
          data.integer(payload);
          if (data.step()) message.data = data.text_at(0);
        }
        if (const AddOutcome outcome = add(message); !outcome.repeated) ids.push_back(outcome.id);
        drop_letter(row, payload);
        std::string().swap(message.data);
      }
      // A new message that a later letter has replaced counts as never sent.
      const std::set<MessageId> fresh(ids.begin(), ids.end());
      std::set<MessageId> replaced;
      for (std::size_t i = withdrawn; i < withdrawn_.size(); ++i) {
        if (fresh.contains(withdrawn_[i].id)) replaced.insert(withdrawn_[i].id);
      }
      std::erase_if(ids, [&](MessageId one) { return replaced.contains(one); });
      std::erase_if(withdrawn_, [&](const Withdrawn& removed) { return replaced.contains(removed.id); });
      db_.exec("RELEASE requeue");
      return ids;
    } catch (...) {
      // A full disk may have ended the transaction already, and the savepoint with it.
      db_.tryExec("ROLLBACK TO requeue");
      db_.tryExec("RELEASE requeue");
      now_ = before;
      withdrawn_.resize(withdrawn);
      throw;
    }
  });
}

void SqliteWriter::read_letters(MessageId first, KnownLetters& known) {
  for (SQLite::Statement* statement : {&letters_of_, &letters_by_original_}) {
    BoundStatement find(*statement);
    find.id(first);
    while (find.step()) {
      count_steps();
      known.names.emplace(first, ServiceName(find.text_at(0)), find.kind_at(1), find.text_at(2));
    }
  }
}

bool SqliteWriter::knows_letter(const DeadLetter& letter, KnownLetters& known) {
  // Reads all letters of a message at once: a query per letter would cost the square of its recipients.
  if (const MessageId first = store::first_id(letter.message); known.read.insert(first).second)
    read_letters(first, known);
  if (known.names.contains(name_of(letter))) return true;
  const NewMessage import = as_import(letter);
  AddOutcome outcome;
  return known_key(import, outcome) || known_import(import, outcome);
}

std::vector<LetterOutcome> SqliteWriter::add_dead(std::span<const DeadLetter> letters) {
  return translated("store dead letters in", path_, &db_, [&] {
    std::vector<LetterOutcome> outcomes;
    outcomes.reserve(letters.size());
    KnownLetters known;
    for (const DeadLetter& letter : letters) {
      const PendingMessage& m = letter.message;
      const std::string data = m.data.str();
      if (knows_letter(letter, known)) {
        outcomes.push_back(LetterOutcome::kKnown);
        continue;
      }
      std::int64_t payload = 0;
      {
        BoundStatement find(find_dead_data_);
        find.id(m.id).blob(data);
        if (find.step()) payload = find.integer_at(0);
      }
      if (now_.dead >= limits_.dead ||
          now_.dead_bytes + (payload == 0 ? data.size() : 0) > limits_.dead_bytes.count()) {
        outcomes.push_back(LetterOutcome::kLimitReached);
        continue;
      }
      if (payload == 0) {
        BoundStatement(put_dead_data_).id(m.id).blob(data).run();
        payload = db_.getLastInsertRowid();
        now_.dead_bytes += data.size();
      }
      BoundStatement(insert_letter_)
          .id(m.id)
          .text(m.service.str())
          .kind(m.recipient.kind)
          .text(m.recipient.name)
          .integer(m.listening ? 1 : 0)
          .text(m.event)
          .integer(to_millis(m.created))
          .integer(to_millis(m.expires))
          .integer(to_millis(letter.died))
          .integer(m.attempts)
          .integer(payload)
          .run();
      if (!m.collapse.empty() || m.original.valid()) {
        BoundStatement(insert_letter_collapse_).integer(db_.getLastInsertRowid()).text(m.collapse).id(m.original).run();
      }
      ++now_.dead;
      known.names.insert(name_of(letter));
      outcomes.push_back(LetterOutcome::kStored);
    }
    return outcomes;
  });
}

std::uint64_t SqliteWriter::purge_dead(MessageId id, const MessageFilter& filter) {
  return translated("delete dead letters from", path_, &db_, [&] {
    const Conditions conditions(filter, Conditions::kDead);
    SQLite::Statement statement(
        db_, "DELETE FROM dead WHERE (message = ?1 OR ?1 = 0)" + conditions.further() + " RETURNING payload");
    std::uint64_t letters = 0;
    std::set<std::int64_t> payloads;
    {
      BoundStatement dropped(statement);
      dropped.id(id);
      conditions.bind(dropped);
      for (; dropped.step(); ++letters) payloads.insert(dropped.integer_at(0));
    }
    now_.dead -= letters;
    for (const std::int64_t payload : payloads) drop_unused_data(payload);
    return letters;
  });
}

bool SqliteWriter::reclaim(int pages) {
  return translated("give back free space of", path_, &db_, [&] {
    const std::int64_t free = db_.execAndGet("PRAGMA freelist_count").getInt64() - kReservePages;
    if (free <= 0) return false;
    const std::int64_t now = std::min<std::int64_t>(pages, free);
    db_.exec("PRAGMA incremental_vacuum(" + std::to_string(now) + ")");
    if (now < free) return true;
    // Only a checkpoint shortens the file itself.
    db_.tryExec("PRAGMA wal_checkpoint(PASSIVE)");
    return false;
  });
}

void SqliteWriter::checkpoint_if_due() {
  if (log_pages_ < kLogPages) return;
  // 0 until the next commit, so that a failed checkpoint is retried then.
  log_pages_ = 0;
  db_.tryExec("PRAGMA wal_checkpoint(PASSIVE)");
}

std::int64_t SqliteWriter::recipient_id(const ServiceName& service, const Recipient& recipient) {
  BoundStatement find(find_recipient_);
  find.text(recipient.name).kind(recipient.kind).text(service.str());
  return find.step() ? find.integer_at(0) : 0;
}

std::int64_t SqliteWriter::insert_recipient(const ServiceName& service, const Recipient& recipient, std::int64_t size) {
  BoundStatement(insert_recipient_).text(recipient.name).kind(recipient.kind).text(service.str()).integer(size).run();
  return db_.getLastInsertRowid();
}

}  // namespace sse::store
