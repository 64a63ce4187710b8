// Messages that are on disk before the response, compared with the minimal database work for the same durability.
#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <vector>

#include "base/error.h"
#include "pace.h"
#include "sections.h"
#include "ssectl/load/mark.h"

namespace sse::bench {
namespace {

constexpr std::size_t kUsers = 10'000;
constexpr std::size_t kLines = 1000;

std::string message_to(std::size_t user, std::size_t size) {
  return SseServe::message(R"("users":["offline)" + std::to_string(user % kUsers) + R"("])",
                           load::payload({steady_now(), 0, user}, size), true);
}

// INSERTs for `seconds` seconds, each with one row and one fsync.
double single_rows(const std::string& folder, double seconds) {
  const std::string path = folder + "/single.db";
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path + suffix);
  sqlite3* opened = nullptr;
  sqlite3_open(path.c_str(), &opened);
  const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> db(opened, sqlite3_close);
  const auto check = [&](int result) {
    if (result != SQLITE_OK && result != SQLITE_DONE) throw Error(ErrorCode::kIo, sqlite3_errmsg(db.get()));
  };
  check(sqlite3_exec(db.get(),
                     "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                     "CREATE TABLE message(id INTEGER PRIMARY KEY, user TEXT, event TEXT, data BLOB)",
                     nullptr, nullptr, nullptr));
  sqlite3_stmt* prepared = nullptr;
  check(sqlite3_prepare_v2(db.get(), "INSERT INTO message(user, event, data) VALUES(?, 'bench', zeroblob(100))", -1,
                           &prepared, nullptr));
  const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> insert(prepared, sqlite3_finalize);
  std::size_t rows = 0;
  const SteadyTime begin = steady_now();
  while (seconds_since(begin) < seconds) {
    const std::string user = "offline" + std::to_string(rows++ % kUsers);
    check(sqlite3_bind_text(insert.get(), 1, user.data(), static_cast<int>(user.size()), SQLITE_TRANSIENT));
    check(sqlite3_step(insert.get()));
    check(sqlite3_reset(insert.get()));
  }
  return static_cast<double>(rows) / seconds_since(begin);
}

// `senders` senders, each with its own connection and one call at a time of `lines` messages.
double sends(const SseServe& serve, unsigned senders, std::size_t lines, double seconds, std::size_t size) {
  std::vector<std::unique_ptr<load::Poster>> posters;
  std::vector<std::size_t> next;
  for (std::size_t sender = 0; sender < senders; ++sender) {
    posters.push_back(std::make_unique<load::Poster>(serve.admin(), "/api/v1/send",
                                                     lines > 1 ? "application/x-ndjson" : "application/json"));
    next.push_back(sender * 157);
  }
  std::string body;
  std::size_t sent = 0;
  const SteadyTime start = steady_now();
  run_concurrently(
      posters,
      [&](std::size_t sender) {
        if (seconds_since(start) >= seconds) return false;
        std::size_t& user = next[sender];
        body = message_to(user, size);
        for (std::size_t line = 1; line < lines; ++line) body += "\n" + message_to(user + line, size);
        user += lines;
        posters[sender]->begin(body);
        return true;
      },
      [&](std::size_t sender) {
        SseServe::require_accepted(posters[sender]->finish());
        sent += lines;
      });
  return static_cast<double>(sent) / seconds_since(start);
}

}  // namespace

void durable(const Settings& settings, Table& table) {
  const std::string path = settings.folder + "/pending.db";
  SseServe serve(settings, "sse-serve", {"--db", path, "--qos-max-per-user", "1000000"});
  const double seconds = settings.quick ? 0.3 : 1.5;
  constexpr unsigned kSenders[] = {1, 8, 64};
  std::vector<double> single;
  std::vector<double> by_senders[3];
  std::vector<double> bulk;
  for (int round = 0; round < settings.rounds; ++round) {
    single.push_back(single_rows(settings.folder, seconds));
    for (std::size_t i = 0; i < 3; ++i) by_senders[i].push_back(sends(serve, kSenders[i], 1, seconds, settings.size));
    bulk.push_back(sends(serve, 1, kLines, seconds, settings.size));
  }
  const char* reference = "single-row INSERTs";
  for (std::size_t i = 0; i < 3; ++i) {
    table.add({"f", "qos sends, " + std::to_string(kSenders[i]) + (i == 0 ? " sender" : " senders"), "sends/s",
               median(by_senders[i]), median(single), reference,
               kSenders[i] == 64 ? std::optional(Bar::ratio_at_least(15)) : std::nullopt});
  }
  table.add({"f", "qos sends, bulk calls of 1,000", "sends/s", median(bulk), median(single), reference,
             Bar::ratio_at_least(40)});
}

}  // namespace sse::bench
