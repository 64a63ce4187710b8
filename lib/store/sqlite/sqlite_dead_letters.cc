#include "store/sqlite/sqlite_dead_letters.h"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/step_count.h"
#include "store/imported.h"
#include "store/sqlite/sqlite_filter.h"
#include "store/sqlite/sqlite_statement.h"
#include "store/sqlite/translated.h"

namespace sse::store {
namespace {

// Data copied into dead letters in one transaction: senders wait for its end.
constexpr std::uint64_t kDeadBatchBytes = std::uint64_t{4} << 20;
constexpr std::uint64_t kExpiredAtOnce = 1000;

}  // namespace

SqliteDeadLetters::SqliteDeadLetters(SQLite::Database& db, std::string path, const StoreLimits& limits,
                                     SqlitePending& pending, OpenTransaction& open)
    : db_(db),
      path_(std::move(path)),
      limits_(limits),
      pending_(pending),
      open_(open),
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
      letters_of_(prepare(db_, path_, "SELECT service, kind, recipient FROM dead WHERE message = ?")),
      letters_by_original_(
          prepare(db_, path_,
                  "SELECT service, kind, recipient FROM dead_collapse AS c CROSS JOIN dead ON id = c.dead "
                  "WHERE c.original = ? AND c.original <> 0")),
      insert_letter_(prepare(db_, path_,
                             "INSERT INTO dead(message, service, kind, recipient, listening, event, created, expires, "
                             "died, attempts, payload) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")),
      insert_letter_collapse_(prepare(db_, path_, "INSERT INTO dead_collapse(dead, word, original) VALUES(?, ?, ?)")),
      insert_dead_notify_(
          prepare(db_, path_, "INSERT INTO dead_notify(dead) SELECT ?1 FROM notify WHERE message = ?2")),
      insert_letter_notify_(prepare(db_, path_, "INSERT INTO dead_notify(dead) VALUES(?)")) {}

std::uint64_t SqliteDeadLetters::expire(WallTime now, std::uint64_t enough) {
  return translated("remove expired messages from", path_, &db_, [&] {
    const std::vector<MessageId> expired = pending_.expired(now, kExpiredAtOnce);
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
    if (expired.size() < kExpiredAtOnce) pending_.expire_keys(now);
    return pairs;
  });
}

// Handles some of the message's recipients. Skips letters that would be deleted to make room for those of its last
// recipients.
SqliteDeadLetters::MovedToDead SqliteDeadLetters::move_some_to_dead(MessageId id, WallTime now, std::uint64_t limit) {
  MovedToDead moved_to_dead;
  const auto [recipients, size] = pending_.some_recipients(id, std::max<std::uint64_t>(limit, 1));
  const std::uint64_t room = size > limits_.dead_bytes.count() ? 0 : limits_.dead;
  const MessageId first = pending_.first_id(id);
  std::uint64_t left = pending_.count_recipients(id, std::min<std::uint64_t>(room, INT32_MAX) + recipients.size());
  std::int64_t payload = 0;
  {
    BoundStatement find(find_moved_data_);
    find.id(id);
    if (find.step()) payload = find.integer_at(0);
  }
  for (const std::int64_t recipient : recipients) {
    const bool dead = left-- <= room;
    if (dead) {
      make_room_for_letter(payload, size);
      if (payload == 0) {
        BoundStatement(insert_dead_data_).id(id).run();
        payload = db_.getLastInsertRowid();
        open_.totals.dead_bytes += size;
        moved_to_dead.bytes += size;
      }
      BoundStatement(insert_dead_).id(id).integer(recipient).integer(to_millis(now)).integer(payload).run();
      const std::int64_t last_letter = db_.getLastInsertRowid();
      BoundStatement(insert_dead_collapse_)
          .integer(last_letter)
          .id(id)
          .integer(recipient)
          .id(first == id ? MessageId() : first)
          .run();
      BoundStatement(insert_dead_notify_).integer(last_letter).id(id).run();
      ++open_.totals.dead;
    }
    const auto outcome = dead ? DeliveryReport::Outcome::kDead : DeliveryReport::Outcome::kExpired;
    if (pending_.withdraw(recipient, id, Withdrawn::Why::kExpired, outcome)) ++moved_to_dead.pairs;
  }
  return moved_to_dead;
}

// `payload`: the row of the letter's data, or 0; making room may delete that row and set it to 0.
void SqliteDeadLetters::make_room_for_letter(std::int64_t& payload, std::uint64_t size) {
  while (open_.totals.dead > 0 && (open_.totals.dead + 1 > limits_.dead ||
                                   open_.totals.dead_bytes + (payload == 0 ? size : 0) > limits_.dead_bytes.count())) {
    if (drop_oldest_dead() == payload) payload = 0;
  }
}

// Returns the row of the data that was deleted with the letter, or 0.
std::int64_t SqliteDeadLetters::drop_oldest_dead() {
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
bool SqliteDeadLetters::drop_letter(std::int64_t id, std::int64_t payload) {
  BoundStatement(drop_dead_).integer(id).run();
  --open_.totals.dead;
  return drop_unused_data(payload);
}

bool SqliteDeadLetters::drop_unused_data(std::int64_t payload) {
  {
    BoundStatement unused(unused_dead_data_);
    unused.integer(payload);
    if (!unused.step()) return false;
    open_.totals.dead_bytes -= unused.count_at(0);
  }
  BoundStatement(drop_dead_data_).integer(payload).run();
  return true;
}

std::vector<MessageId> SqliteDeadLetters::requeue(MessageId id, const MessageFilter& filter, WallTime now) {
  return translated("send dead letters again from", path_, &db_, [&] {
    std::vector<Letter> letters = letters_to_requeue(id, filter, now);
    const OpenTransaction::Totals before = open_.totals;
    const std::size_t withdrawn = open_.withdrawn.size();
    const std::size_t reports = open_.made.reports.size();
    const std::uint64_t dropped = open_.made.dropped;
    db_.exec("SAVEPOINT requeue");
    try {
      std::vector<MessageId> ids = add_again(letters);
      forget_replaced(ids, withdrawn);
      db_.exec("RELEASE requeue");
      return ids;
    } catch (...) {
      // A full disk may have ended the transaction already, and the savepoint with it.
      db_.tryExec("ROLLBACK TO requeue");
      db_.tryExec("RELEASE requeue");
      open_.totals = before;
      open_.withdrawn.resize(withdrawn);
      open_.made.reports.resize(reports);
      open_.made.dropped = dropped;
      throw;
    }
  });
}

// Without their data: all of it may not fit into memory.
std::vector<SqliteDeadLetters::Letter> SqliteDeadLetters::letters_to_requeue(MessageId id, const MessageFilter& filter,
                                                                             WallTime now) {
  const Conditions conditions(filter, Conditions::kDead);
  SQLite::Statement statement(
      db_,
      "SELECT id, service, kind, recipient, listening, event, created, expires, message, word, original, payload, "
      "n.dead FROM dead LEFT JOIN dead_collapse AS c ON c.dead = id LEFT JOIN dead_notify AS n ON n.dead = id WHERE "
      "(message = ?1 OR ?1 = 0)" +
          conditions.further() + " ORDER BY id");
  std::vector<Letter> letters;
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
    message.notify = find.integer_at(12) != 0;
    letters.push_back({find.integer_at(0), find.integer_at(11), std::move(message)});
  }
  return letters;
}

// Adds each letter as a new message and deletes the letter. Returns the ids of the new messages.
std::vector<MessageId> SqliteDeadLetters::add_again(std::vector<Letter>& letters) {
  std::vector<MessageId> ids;
  for (auto& [row, payload, message] : letters) {
    {
      BoundStatement data(dead_data_);
      data.integer(payload);
      if (data.step()) message.data = data.text_at(0);
    }
    if (const AddOutcome outcome = pending_.add(message); !outcome.repeated) ids.push_back(outcome.id);
    drop_letter(row, payload);
    std::string().swap(message.data);
  }
  return ids;
}

// A new message that a later letter has replaced counts as never sent. `withdrawn`: how many were withdrawn before.
void SqliteDeadLetters::forget_replaced(std::vector<MessageId>& ids, std::size_t withdrawn) {
  const std::set<MessageId> fresh(ids.begin(), ids.end());
  std::set<MessageId> replaced;
  for (std::size_t i = withdrawn; i < open_.withdrawn.size(); ++i) {
    if (fresh.contains(open_.withdrawn[i].id)) replaced.insert(open_.withdrawn[i].id);
  }
  std::erase_if(ids, [&](MessageId one) { return replaced.contains(one); });
  std::erase_if(open_.withdrawn, [&](const Withdrawn& removed) { return replaced.contains(removed.id); });
}

void SqliteDeadLetters::read_letters(MessageId first, KnownLetters& known) {
  for (SQLite::Statement* statement : {&letters_of_, &letters_by_original_}) {
    BoundStatement find(*statement);
    find.id(first);
    while (find.step()) {
      count_steps();
      known.names.emplace(first, ServiceName(find.text_at(0)), find.kind_at(1), find.text_at(2));
    }
  }
}

bool SqliteDeadLetters::knows_letter(const DeadLetter& letter, KnownLetters& known) {
  // Reads all letters of a message at once: a query per letter would cost the square of its recipients.
  if (const MessageId first = store::first_id(letter.message); known.read.insert(first).second)
    read_letters(first, known);
  if (known.names.contains(name_of(letter))) return true;
  const NewMessage import = as_import(letter);
  AddOutcome outcome;
  return pending_.knows(import, outcome);
}

std::vector<LetterOutcome> SqliteDeadLetters::add(std::span<const DeadLetter> letters) {
  return translated("store dead letters in", path_, &db_, [&] {
    std::vector<LetterOutcome> outcomes;
    outcomes.reserve(letters.size());
    KnownLetters known;
    for (const DeadLetter& letter : letters) outcomes.push_back(add(letter, known));
    return outcomes;
  });
}

LetterOutcome SqliteDeadLetters::add(const DeadLetter& letter, KnownLetters& known) {
  if (knows_letter(letter, known)) return LetterOutcome::kKnown;
  const PendingMessage& m = letter.message;
  const std::string data = m.data.str();
  std::int64_t payload = 0;
  {
    BoundStatement find(find_dead_data_);
    find.id(m.id).blob(data);
    if (find.step()) payload = find.integer_at(0);
  }
  if (open_.totals.dead >= limits_.dead ||
      open_.totals.dead_bytes + (payload == 0 ? data.size() : 0) > limits_.dead_bytes.count())
    return LetterOutcome::kLimitReached;
  if (payload == 0) {
    BoundStatement(put_dead_data_).id(m.id).blob(data).run();
    payload = db_.getLastInsertRowid();
    open_.totals.dead_bytes += data.size();
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
  const std::int64_t row = db_.getLastInsertRowid();
  if (!m.collapse.empty() || m.original.valid())
    BoundStatement(insert_letter_collapse_).integer(row).text(m.collapse).id(m.original).run();
  if (m.notify) BoundStatement(insert_letter_notify_).integer(row).run();
  ++open_.totals.dead;
  known.names.insert(name_of(letter));
  return LetterOutcome::kStored;
}

std::uint64_t SqliteDeadLetters::purge(MessageId id, const MessageFilter& filter) {
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
    open_.totals.dead -= letters;
    for (const std::int64_t payload : payloads) drop_unused_data(payload);
    return letters;
  });
}

}  // namespace sse::store
