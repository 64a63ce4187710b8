#include "store/sqlite/sqlite_pending.h"

#include <optional>
#include <utility>

#include "base/error.h"
#include "store/imported.h"
#include "store/sqlite/message_checksum.h"
#include "store/sqlite/sqlite_file.h"
#include "store/sqlite/sqlite_filter.h"
#include "store/sqlite/sqlite_statement.h"
#include "store/sqlite/translated.h"

namespace sse::store {

using Outcome = DeliveryReport::Outcome;

SqlitePending::SqlitePending(const SQLite::Database& db, std::string path, const StoreLimits& limits, IdGenerator& ids,
                             OpenTransaction& open, SqliteOutbox& outbox)
    : db_(db),
      path_(std::move(path)),
      limits_(limits),
      ids_(ids),
      open_(open),
      outbox_(outbox),
      find_recipient_(
          prepare(db_, path_, "SELECT id, pending, bytes FROM recipient WHERE name = ? AND kind = ? AND service = ?")),
      insert_recipient_(
          prepare(db_, path_, "INSERT INTO recipient(name, kind, service, pending, bytes) VALUES(?, ?, ?, 1, ?)")),
      count_recipient_(
          prepare(db_, path_, "UPDATE recipient SET pending = pending + 1, bytes = bytes + ? WHERE id = ?")),
      release_recipient_(
          prepare(db_, path_, "UPDATE recipient SET pending = pending - 1, bytes = bytes - ? WHERE id = ?")),
      drop_recipient_(prepare(db_, path_, "DELETE FROM recipient WHERE id = ? AND pending = 0")),
      describe_recipient_(prepare(db_, path_, "SELECT service, kind, name FROM recipient WHERE id = ?")),
      insert_message_(prepare(db_, path_,
                              "INSERT INTO message(id, created, expires, listening, event, data, sum) "
                              "VALUES(?, ?, ?, ?, ?, ?, ?)")),
      drop_unclaimed_message_(prepare(
          db_, path_, "DELETE FROM message WHERE id = ?1 AND NOT EXISTS(SELECT 1 FROM pending WHERE message = ?1)")),
      insert_pending_(prepare(db_, path_, "INSERT INTO pending(recipient, message, size) VALUES(?, ?, ?)")),
      drop_pending_(prepare(db_, path_, "DELETE FROM pending WHERE recipient = ? AND message = ? RETURNING size")),
      is_pending_(prepare(db_, path_, "SELECT 1 FROM pending WHERE recipient = ? AND message = ?")),
      recipients_of_(prepare(db_, path_, "SELECT recipient FROM pending WHERE message = ?")),
      // Without ORDER BY: the index order suffices, and SQLite then reads no further than LIMIT.
      some_recipients_of_(prepare(db_, path_, "SELECT recipient, size FROM pending WHERE message = ? LIMIT ?")),
      count_pending_of_(prepare(db_, path_, "SELECT count(*) FROM pending WHERE message = ?")),
      count_up_to_(prepare(db_, path_, "SELECT count(*) FROM (SELECT 1 FROM pending WHERE message = ? LIMIT ?)")),
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
      expire_keys_(prepare(db_, path_, "DELETE FROM sent_key WHERE expires <= ?")),
      find_import_(prepare(db_, path_, std::string("SELECT key FROM sent_key WHERE message = ? AND ") + kImported)),
      expired_(prepare(db_, path_, "SELECT id FROM message WHERE expires <= ? ORDER BY expires LIMIT ?")) {}

AddOutcome SqlitePending::add(const NewMessage& message) {
  constexpr std::size_t kSqliteMax = 1'000'000'000;  // SQLITE_MAX_LENGTH
  if (message.data.size() + message.event.size() > kSqliteMax - 1000) {
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
    const std::vector<Recipient> recipients = recipients_of(message);
    Usage total{open_.totals.pairs, open_.totals.bytes};
    std::vector<Place> places;
    places.reserve(recipients.size());
    for (const Recipient& recipient : recipients) places.push_back(require_place(message, recipient, total));
    require_room(limits_, total, recipients.size(), message.data.size());
    outcome.id = MessageId(ids_.next());
    outcome.pending = recipients.size();
    insert(message, outcome.id, recipients, places);
    return outcome;
  });
}

bool SqlitePending::known_key(const NewMessage& message, AddOutcome& outcome) {
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

bool SqlitePending::known_import(const NewMessage& message, AddOutcome& outcome) {
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

bool SqlitePending::knows(const NewMessage& message, AddOutcome& outcome) {
  return known_key(message, outcome) || known_import(message, outcome);
}

std::vector<MessageId> SqlitePending::known_imports(std::span<const NewMessage> messages) {
  return translated("read", path_, &db_, [&] {
    std::vector<MessageId> ids;
    ids.reserve(messages.size());
    for (const NewMessage& message : messages) {
      AddOutcome outcome;
      ids.push_back(knows(message, outcome) ? outcome.id : MessageId());
    }
    return ids;
  });
}

MessageId SqlitePending::first_id(MessageId id) {
  MessageId first = id;
  if (BoundStatement find(find_import_); find.id(id).step()) first = original_in(find.text_at(0));
  return first;
}

PartialStore::Replaced SqlitePending::replace_older(const ServiceName& service, const Recipient& recipient,
                                                    const std::string& collapse, MessageId than) {
  return translated("replace a message in", path_, &db_, [&]() -> PartialStore::Replaced {
    const std::int64_t row = recipient_id(service, recipient);
    if (row == 0) return {};
    MessageId same;
    if (BoundStatement find(find_collapsing_); find.integer(row).text(collapse).step()) same = find.id_at(0);
    if (!same.valid()) return {};
    const MessageId first = first_id(same);
    if (first >= than) return {0, first > than ? first : MessageId()};
    withdraw(row, same, Withdrawn::Why::kReplaced, Outcome::kReplaced);
    return {1, {}};
  });
}

// Checks the limits against the recipient's current use less the message that this one replaces.
SqlitePending::Place SqlitePending::require_place(const NewMessage& message, const Recipient& recipient, Usage& total) {
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

void SqlitePending::insert(const NewMessage& message, MessageId id, const std::vector<Recipient>& recipients,
                           std::vector<Place>& places) {
  for (std::size_t i = 0; i < recipients.size(); ++i) {
    // drop() deletes the recipient with its last message; it must then be inserted again.
    if (!places[i].replaced.valid() || !drop(places[i].recipient, places[i].replaced, Outcome::kReplaced)) continue;
    open_.withdrawn.push_back({message.service, recipients[i], places[i].replaced, Withdrawn::Why::kReplaced});
    places[i].recipient = recipient_id(message.service, recipients[i]);
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
  if (message.notify) outbox_.note(id, sender_key(message.key));
  for (std::size_t i = 0; i < recipients.size(); ++i) {
    std::int64_t recipient = places[i].recipient;
    if (recipient == 0) {
      recipient = insert_recipient(message.service, recipients[i], size);
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
  open_.totals.pairs += recipients.size();
  open_.totals.bytes += message.data.size();
}

bool SqlitePending::confirm(const ServiceName& service, const Recipient& recipient, MessageId id) {
  return translated("store a confirmation in", path_, &db_, [&] {
    const std::int64_t row = recipient_id(service, recipient);
    return row != 0 && drop(row, id, Outcome::kConfirmed);
  });
}

// Removes the message for one recipient, and altogether when that was the last one. True when something was removed,
// which is then reported.
bool SqlitePending::drop(std::int64_t recipient, MessageId id, Outcome outcome) {
  if (std::optional<DeliveryReport> report = outbox_.begin(recipient, id)) {
    report->outcome = outcome;
    report->time = ids_.clock().wall_now();
    if (const MessageId first = first_id(id); first != id) report->original = first;
    outbox_.add(std::move(*report));
  }
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
  if (BoundStatement(drop_unclaimed_message_).id(id).run() != 0)
    open_.totals.bytes -= static_cast<std::uint64_t>(*size);
  --open_.totals.pairs;
  return true;
}

void SqlitePending::note_attempts(const ServiceName& service, const Recipient& recipient, MessageId id,
                                  std::uint32_t attempts) {
  translated("count a delivery in", path_, &db_, [&] {
    if (const std::int64_t row = recipient_id(service, recipient); row != 0)
      BoundStatement(count_attempts_).integer(attempts).integer(row).id(id).run();
  });
}

bool SqlitePending::withdraw(std::int64_t recipient, MessageId id, Withdrawn::Why why, Outcome outcome) {
  Withdrawn removed;
  {
    BoundStatement describe(describe_recipient_);
    describe.integer(recipient);
    if (describe.step())
      removed = {ServiceName(describe.text_at(0)), {describe.kind_at(1), describe.text_at(2)}, id, why};
  }
  if (!drop(recipient, id, outcome)) return false;
  open_.withdrawn.push_back(std::move(removed));
  return true;
}

std::uint64_t SqlitePending::erase(MessageId id) {
  return translated("delete a message from", path_, &db_, [&] {
    std::vector<std::int64_t> recipients;
    {
      BoundStatement find(recipients_of_);
      find.id(id);
      while (find.step()) recipients.push_back(find.integer_at(0));
    }
    for (const std::int64_t recipient : recipients)
      withdraw(recipient, id, Withdrawn::Why::kDeleted, Outcome::kDeleted);
    return static_cast<std::uint64_t>(recipients.size());
  });
}

std::uint64_t SqlitePending::purge(const MessageFilter& filter, std::uint64_t enough) {
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
    for (const auto& [recipient, id] : pairs) withdraw(recipient, id, Withdrawn::Why::kDeleted, Outcome::kDeleted);
    return static_cast<std::uint64_t>(pairs.size());
  });
}

std::vector<MessageId> SqlitePending::expired(WallTime now, std::uint64_t limit) {
  std::vector<MessageId> ids;
  BoundStatement due(expired_);
  due.integer(to_millis(now)).integer(as_integer(limit));
  while (due.step()) ids.push_back(due.id_at(0));
  return ids;
}

SqlitePending::Recipients SqlitePending::some_recipients(MessageId id, std::uint64_t limit) {
  Recipients some;
  BoundStatement find(some_recipients_of_);
  find.id(id).integer(as_integer(limit));
  while (find.step()) {
    some.rows.push_back(find.integer_at(0));
    some.size = find.count_at(1);
  }
  return some;
}

std::uint64_t SqlitePending::count_recipients(MessageId id, std::uint64_t limit) {
  BoundStatement count(count_up_to_);
  count.id(id).integer(as_integer(limit));
  count.step();
  return count.count_at(0);
}

void SqlitePending::expire_keys(WallTime now) {
  BoundStatement(expire_keys_).integer(to_millis(now)).run();
}

std::int64_t SqlitePending::recipient_id(const ServiceName& service, const Recipient& recipient) {
  BoundStatement find(find_recipient_);
  find.text(recipient.name).kind(recipient.kind).text(service.str());
  return find.step() ? find.integer_at(0) : 0;
}

std::int64_t SqlitePending::insert_recipient(const ServiceName& service, const Recipient& recipient,
                                             std::int64_t size) {
  BoundStatement(insert_recipient_).text(recipient.name).kind(recipient.kind).text(service.str()).integer(size).run();
  return db_.getLastInsertRowid();
}

}  // namespace sse::store
