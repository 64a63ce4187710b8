// Benchmarks the SQLite repository on this machine's disk. `repository_bench [FOLDER [SECONDS]]`, JSON on stdout.
//  - durable adds a second with 1, 8 and 64 senders and in calls of a thousand, compared with one INSERT per
//  transaction and the same fsync
//  - opening a file of a million pending messages, and reading one user's among them
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "store/sqlite/sqlite_catalog.h"
#include "store/sqlite/sqlite_repository.h"

namespace {

using namespace sse;
using namespace sse::delivery;
using Seconds = std::chrono::duration<double>;

const ServiceName kService("defaultConnectionService");

std::string fresh(const std::filesystem::path& folder) {
  std::filesystem::remove_all(folder);
  return (folder / "pending.db").string();
}

store::NewMessage message_to(std::string name) {
  return {kService,      {event::TargetKind::kUser, {std::move(name)}, false},
          "server-push", std::string(100, 'x'),
          wall_now(),    wall_now() + std::chrono::hours(24)};
}

void run_sql(sqlite3* db, const std::string& sql) {
  if (sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    throw std::runtime_error(sqlite3_errmsg(db));
  }
}

// CPU time of this process, which other load on the machine hardly affects.
double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

struct Result {
  double rate;
  double cpu_micros;  ///< CPU time per message

  Result operator/(double n) const { return {rate / n, cpu_micros / n}; }
  Result& operator+=(const Result& other) {
    rate += other.rate;
    cpu_micros += other.cpu_micros;
    return *this;
  }
};

class Meter {
 public:
  Result result(std::uint64_t n) const {
    const double count = static_cast<double>(n);
    return {count / Seconds(steady_now() - start_).count(), (cpu_seconds() - cpu_) * 1e6 / count};
  }
  Seconds elapsed() const { return steady_now() - start_; }

 private:
  SteadyTime start_ = steady_now();
  double cpu_ = cpu_seconds();
};

Result single_inserts(const std::filesystem::path& folder, bool full, Seconds time) {
  const std::string path = fresh(folder);
  std::filesystem::create_directories(folder);
  sqlite3* db = nullptr;
  sqlite3_open(path.c_str(), &db);
  run_sql(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=" + std::string(full ? "FULL" : "NORMAL") +
                  "; CREATE TABLE message(id INTEGER PRIMARY KEY, user TEXT, event TEXT, data BLOB)");
  sqlite3_stmt* insert = nullptr;
  sqlite3_prepare_v2(db, "INSERT INTO message(user, event, data) VALUES(?, 'server-push', ?)", -1, &insert, nullptr);
  const std::string data(100, 'x');
  std::uint64_t n = 0;
  const Meter meter;
  while (meter.elapsed() < time) {
    const std::string name = "user" + std::to_string(n % 10'000);
    sqlite3_bind_text(insert, 1, name.data(), static_cast<int>(name.size()), SQLITE_TRANSIENT);
    sqlite3_bind_blob(insert, 2, data.data(), static_cast<int>(data.size()), SQLITE_STATIC);
    if (sqlite3_step(insert) != SQLITE_DONE) throw std::runtime_error(sqlite3_errmsg(db));
    sqlite3_reset(insert);
    ++n;
  }
  const Result result = meter.result(n);
  sqlite3_finalize(insert);
  sqlite3_close(db);
  return result;
}

Result adds(const std::filesystem::path& folder, bool full, Seconds time, int threads) {
  IdGenerator ids(1);
  store::SqliteRepository::Options options;
  options.path = fresh(folder);
  options.sync = full ? store::SqliteRepository::Sync::kFull : store::SqliteRepository::Sync::kNormal;
  options.limits.per_recipient = 1'000'000;
  store::SqliteRepository repository(options, ids);
  std::atomic<std::uint64_t> n = 0;
  const Meter meter;
  std::vector<std::thread> senders;
  for (int t = 0; t < threads; ++t) {
    senders.emplace_back([&, t] {
      for (int i = t; meter.elapsed() < time; i += threads) {
        repository.add(message_to("user" + std::to_string(i % 10'000)));
        ++n;
      }
    });
  }
  for (std::thread& sender : senders) sender.join();
  return meter.result(n);
}

// Calls of a thousand messages each.
Result bulk(const std::filesystem::path& folder, bool full, Seconds time) {
  IdGenerator ids(1);
  store::SqliteRepository::Options options;
  options.path = fresh(folder);
  options.sync = full ? store::SqliteRepository::Sync::kFull : store::SqliteRepository::Sync::kNormal;
  options.limits.per_recipient = 1'000'000;
  store::SqliteRepository repository(options, ids);
  std::uint64_t n = 0;
  const Meter meter;
  while (meter.elapsed() < time) {
    std::vector<store::NewMessage> messages;
    for (int i = 0; i < 1000; ++i) messages.push_back(message_to("user" + std::to_string(n++ % 10'000)));
    repository.add_all(messages);
  }
  return meter.result(n);
}

void million(const std::filesystem::path& folder) {
  store::SqliteRepository::Options options;
  options.path = fresh(folder);
  IdGenerator ids(1);
  { const store::SqliteRepository repository(options, ids); }
  sqlite3* db = nullptr;
  sqlite3_open(options.path.c_str(), &db);
  run_sql(db,
          "BEGIN;"
          "CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)"
          "  SELECT i FROM n;"
          "INSERT INTO recipient SELECT i, 'user' || i, 0, 'defaultConnectionService', 10 FROM n WHERE i <= 100000;"
          "INSERT INTO message SELECT i, 1700000000000, 4000000000000, 0, 'server-push', zeroblob(100) FROM n;"
          "INSERT INTO pending SELECT 1 + (i - 1) % 100000, i FROM n;"
          "COMMIT");
  sqlite3_close(db);

  const SteadyTime opening = steady_now();
  store::SqliteRepository repository(options, ids);
  const Seconds opened = steady_now() - opening;
  std::printf("  \"million_bytes\": %ju,\n  \"million_open_ms\": %.1f,\n",
              static_cast<std::uintmax_t>(std::filesystem::file_size(options.path)), opened.count() * 1e3);

  std::vector<double> micros;
  for (int i = 0; i < 2000; ++i) {
    const std::string name = "user" + std::to_string(1 + i * 7919 % 100'000);
    const std::vector<store::Recipient> recipients{{event::TargetKind::kUser, name},
                                                   {event::TargetKind::kToken, name},
                                                   {event::TargetKind::kTenant, "tenant"},
                                                   {event::TargetKind::kChannel, "channel"},
                                                   {event::TargetKind::kAll, ""}};
    const SteadyTime start = steady_now();
    const auto found = repository.pending(kService, recipients, MessageId(), 100, mebibytes(1), wall_now());
    micros.push_back(Seconds(steady_now() - start).count() * 1e6);
    if (found.size() != 10) throw std::runtime_error("pending() found " + std::to_string(found.size()));
  }
  std::sort(micros.begin(), micros.end());
  std::printf("  \"million_pending_us\": {\"p50\": %.0f, \"p99\": %.0f, \"max\": %.0f},\n", micros[micros.size() / 2],
              micros[micros.size() * 99 / 100], micros.back());

  const SteadyTime listing = steady_now();
  repository.list({}, 0, 100);
  const SteadyTime counting = steady_now();
  repository.count({});
  std::printf("  \"million_list_ms\": %.2f,\n  \"million_count_ms\": %.2f,\n",
              Seconds(counting - listing).count() * 1e3, Seconds(steady_now() - counting).count() * 1e3);
  const SteadyTime confirming = steady_now();
  for (std::uint64_t i = 1; i <= 50'000; ++i) {
    repository.confirm(kService, {event::TargetKind::kUser, "user" + std::to_string(i)}, MessageId(i));
  }
  while (repository.size() > 950'000) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::printf("  \"million_confirms_per_second\": %.0f\n", 50'000 / Seconds(steady_now() - confirming).count());
}

}  // namespace

int main(int argc, char** argv) {
  const std::filesystem::path folder =
      std::filesystem::path(argc > 1 ? argv[1] : ".") / ("repository-bench-" + std::to_string(getpid()));
  const Seconds time(argc > 2 ? std::atof(argv[2]) : 5.0);
  try {
    std::printf("{\n");
    for (const bool full : {true, false}) {
      // The variants take turns, because the speed of a shared disk varies from second to second.
      constexpr int kRounds = 8;
      constexpr std::array kSenders{1, 8, 64};
      Result single{};
      std::array<Result, kSenders.size()> group{};
      Result thousands{};
      for (int round = 0; round < kRounds; ++round) {
        single += single_inserts(folder, full, time / kRounds) / kRounds;
        for (std::size_t i = 0; i < kSenders.size(); ++i) {
          group.at(i) += adds(folder, full, time / kRounds, kSenders.at(i)) / kRounds;
        }
        thousands += bulk(folder, full, time / kRounds) / kRounds;
      }
      std::printf("  \"%s\": {\n    \"single\": {\"rate\": %.0f, \"cpu_us\": %.1f}", full ? "full" : "normal",
                  single.rate, single.cpu_micros);
      for (std::size_t i = 0; i < kSenders.size(); ++i) {
        std::printf(",\n    \"senders_%d\": {\"rate\": %.0f, \"cpu_us\": %.1f, \"ratio\": %.1f}", kSenders.at(i),
                    group.at(i).rate, group.at(i).cpu_micros, group.at(i).rate / single.rate);
      }
      std::printf(",\n    \"bulk\": {\"rate\": %.0f, \"cpu_us\": %.1f, \"ratio\": %.1f}", thousands.rate,
                  thousands.cpu_micros, thousands.rate / single.rate);
      std::printf("},\n");
      std::fflush(stdout);
    }
    million(folder);
    std::printf("}\n");
  } catch (const std::exception& e) {
    std::fprintf(stderr, "repository_bench: %s\n", e.what());
    std::filesystem::remove_all(folder);
    return 1;
  }
  std::filesystem::remove_all(folder);
  return 0;
}
