#include "store/sqlite/sqlite_outbox.h"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <utility>

#include "store/sqlite/sqlite_statement.h"
#include "store/sqlite/translated.h"

namespace sse::store {

SqliteOutbox::SqliteOutbox(const SQLite::Database& db, const std::string& path, const StoreLimits& limits,
                           OpenTransaction& open)
    : limits_(limits),
      open_(open),
      note_(prepare(db, path, "INSERT INTO notify(message, key) VALUES(?, ?)")),
      // From `notify`, which is empty for most messages.
      describe_(prepare(db, path,
                        "SELECT n.key, r.service, r.kind, r.name, m.event, m.created, p.attempts FROM notify AS n "
                        "CROSS JOIN message AS m ON m.id = n.message "
                        "CROSS JOIN pending AS p ON p.recipient = ?2 AND p.message = n.message "
                        "CROSS JOIN recipient AS r ON r.id = p.recipient WHERE n.message = ?1")),
      insert_(prepare(db, path,
                      "INSERT INTO outbox(size, outcome, service, kind, recipient, message, original, event, key, "
                      "created, time, attempts) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")),
      oldest_(prepare(db, path, "SELECT id FROM outbox ORDER BY id LIMIT 1")),
      drop_(prepare(db, path, "DELETE FROM outbox WHERE id = ? RETURNING size")) {
  translated("open the database", path, &db, [&] {
    SQLite::Statement count(db, "SELECT count(*), coalesce(sum(size), 0) FROM outbox");
    BoundStatement use(count);
    use.step();
    open_.totals.reports = use.count_at(0);
    open_.totals.report_bytes = use.count_at(1);
  });
}

void SqliteOutbox::note(MessageId id, const std::string& key) {
  BoundStatement(note_).id(id).text(key).run();
}

std::optional<DeliveryReport> SqliteOutbox::begin(std::int64_t recipient, MessageId id) {
  BoundStatement find(describe_);
  find.id(id).integer(recipient);
  if (!find.step()) return std::nullopt;
  DeliveryReport report;
  report.id = id;
  report.key = find.text_at(0);
  report.service = ServiceName(find.text_at(1));
  report.recipient = {find.kind_at(2), find.text_at(3)};
  report.event = find.text_at(4);
  report.created = from_millis(find.integer_at(5));
  report.attempts = static_cast<std::uint32_t>(find.count_at(6));
  return report;
}

void SqliteOutbox::add(DeliveryReport report) {
  if (limits_.outbox != 0) {
    const std::uint64_t size = bytes_of(report);
    BoundStatement(insert_)
        .integer(as_integer(size))
        .integer(static_cast<std::int64_t>(report.outcome))
        .text(report.service.str())
        .kind(report.recipient.kind)
        .text(report.recipient.name)
        .id(report.id)
        .id(report.original)
        .text(report.event)
        .text(report.key)
        .integer(to_millis(report.created))
        .integer(to_millis(report.time))
        .integer(report.attempts)
        .run();
    ++open_.totals.reports;
    open_.totals.report_bytes += size;
    for (; open_.totals.reports > limits_.outbox || open_.totals.report_bytes > limits_.outbox_bytes.count();
         ++open_.made.dropped)
      drop_oldest();
  }
  open_.made.reports.push_back(std::move(report));
}

void SqliteOutbox::drop_oldest() {
  std::uint64_t number = 0;
  {
    BoundStatement oldest(oldest_);
    if (!oldest.step()) throw SQLite::Exception("there are fewer delivery reports than counted", SQLITE_CORRUPT);
    number = oldest.count_at(0);
  }
  remove({&number, 1});
}

void SqliteOutbox::remove(std::span<const std::uint64_t> numbers) {
  for (const std::uint64_t number : numbers) {
    BoundStatement dropped(drop_);
    dropped.integer(as_integer(number));
    while (dropped.step()) {
      --open_.totals.reports;
      open_.totals.report_bytes -= dropped.count_at(0);
    }
  }
}

}  // namespace sse::store
