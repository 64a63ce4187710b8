#include "store/sqlite/sqlite_file.h"

#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <future>
#include <system_error>

#include "base/error.h"
#include "base/fd.h"
#include "base/url.h"
#include "store/sqlite/sqlite_check.h"
#include "store/sqlite/sqlite_schema.h"
#include "store/sqlite/store_error.h"

namespace sse::store {
namespace {

namespace fs = std::filesystem;

// Files up to this size are checked at every start.
constexpr off_t kAlwaysChecked = 256L * 1024 * 1024;

constexpr int kHeaderBytes = 100;  // https://www.sqlite.org/fileformat.html §1.3
constexpr std::size_t kVersionOffset = 60;
constexpr std::size_t kApplicationIdOffset = 68;

[[noreturn]] void refuse(int reason, const std::string& what) {
  const Error error = system_error(reason, what);
  throw Error(error.code(), error.what() + std::string("; choose another file with --db"));
}

bool exists(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0;
}

// An absent file and an empty one are treated alike.
bool is_new(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) != 0 || info.st_size == 0;
}

// A new database beside this journal would replay the log of another database.
void require_absent(const std::string& journal, const std::string& path) {
  if (!exists(journal)) return;
  throw Error(ErrorCode::kInvalidArgument, path + " is missing or empty, but its journal " + journal +
                                               " exists; restore the database beside it or delete the journal");
}

void sync_folder(const std::string& path) {
  const UniqueFd folder(open(fs::path(path).parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid() || fsync(folder.get()) != 0) refuse(errno, "cannot make the folder of " + path + " durable");
}

// Creates the schema in another file and renames it: after any interruption, `path` is complete or absent.
void make_database(const std::string& path) {
  const std::string draft = path + ".new";
  unlink(draft.c_str());
  unlink((draft + "-journal").c_str());
  const UniqueFd file(open(draft.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.valid()) refuse(errno, "cannot create the database " + path);
  try {
    SQLite::Database db(draft, SQLite::OPEN_READWRITE);
    db.exec("PRAGMA auto_vacuum=INCREMENTAL");
    db.exec("PRAGMA synchronous=FULL");
    db.exec("BEGIN IMMEDIATE");
    db.exec("PRAGMA application_id=" + std::to_string(kApplicationId));
    db.exec("PRAGMA user_version=" + std::to_string(kSchemaVersion));
    db.exec(schema_of(kSchemaVersion));
    db.exec("COMMIT");
  } catch (const SQLite::Exception& e) {
    unlink(draft.c_str());
    throw store_error(e, "create the database", path);
  }
  if (rename(draft.c_str(), path.c_str()) != 0) {
    const int reason = errno;
    unlink(draft.c_str());
    refuse(reason, "cannot create the database " + path);
  }
  sync_folder(path);
}

void upgrade(SQLite::Database& db, int version) {
  if (version >= kSchemaVersion) return;
  db.exec("PRAGMA synchronous=FULL");
  db.exec("BEGIN IMMEDIATE");
  try {
    db.exec(schema_of(kSchemaVersion, version));
    db.exec("PRAGMA user_version=" + std::to_string(kSchemaVersion));
    db.exec("COMMIT");
  } catch (...) {
    db.tryExec("ROLLBACK");
    throw;
  }
}

// Runs the statement to its end, not only to its row: the mode is only in effect once the change to the file is
// committed. If the sync fails then, a rollback journal is left, and a power loss may undo its deletion.
std::string use_write_ahead_log(const SQLite::Database& db) {
  SQLite::Statement pragma(db, "PRAGMA journal_mode=WAL");
  std::string mode;
  while (pragma.executeStep()) mode = pragma.getColumn(0).getString();
  return mode;
}

// kUnavailable means that a client should retry its request, and at the start there is no request yet.
Error in_use_at_start(const Error& error) {
  return {error.code() == ErrorCode::kUnavailable ? ErrorCode::kConflict : error.code(), error.what()};
}

[[noreturn]] void refuse_damaged(const std::string& path, const std::string& finding) {
  throw Error(ErrorCode::kIo, "the database " + path + " is damaged (" + finding +
                                  "); it was left unchanged: restore it from a backup, salvage its content with "
                                  "'sqlite3 " +
                                  path + " .recover' (if only an index is wrong, 'sqlite3 " + path +
                                  " REINDEX' rebuilds it from its table), or choose another file with --db");
}

// Runs `inspect` on a read-only connection. With a log (`unclean`), the connection also reads the log, which needs the
// log's index.
template <class F>
auto run_readonly(const std::string& path, bool unclean, F&& inspect) {
  try {
    SQLite::Database db("file:" + url_encode(path) + (unclean ? "?readonly_shm=1" : "?immutable=1"),
                        SQLite::OPEN_READONLY | SQLite::OPEN_URI, 2000);
    return inspect(db);
  } catch (const SQLite::Exception& e) {
    // SQLite returns SQLITE_ERROR for a schema that it cannot read.
    const int result = e.getErrorCode() & 0xFF;
    if (result == SQLITE_CORRUPT || result == SQLITE_NOTADB || result == SQLITE_ERROR) refuse_damaged(path, e.what());
    throw in_use_at_start(store_error(e, "check the database", path));
  }
}

// The version in the file together with its log: an upgrade may be in the log alone.
int known_version_of(const std::string& path, SQLite::Database& db) {
  const int version = db.execAndGet("PRAGMA user_version").getInt();
  require_known_version(path, db.execAndGet("PRAGMA application_id").getInt(), version, kOldestVersion);
  return version;
}

FileFindings require_undamaged(const std::string& path) {
  struct stat file {};
  struct stat log {};
  const bool unclean = stat((path + "-wal").c_str(), &log) == 0 && log.st_size > 0;
  if (stat(path.c_str(), &file) != 0 || (file.st_size > kAlwaysChecked && !unclean)) return {};
  // The log's index is missing and only a writer can rebuild it. The file's pages alone may be a mixture of old and
  // new, so they cannot be checked. The log's own checksums guard it.
  if (unclean && !exists(path + "-shm")) return {};
  // In parallel: both read the whole file.
  std::future<bool> counts_agree = std::async(std::launch::async, [&path, unclean] {
    return run_readonly(path, unclean, [&](SQLite::Database& db) {
      const int version = known_version_of(path, db);
      try {
        return compare_with_indexes(db, version);
      } catch (const Error& e) {
        refuse_damaged(path, e.what());
      }
    });
  });
  run_readonly(path, unclean, [&](SQLite::Database& db) {
    SQLite::Statement check(db, "PRAGMA quick_check(1)");
    const std::string finding = check.executeStep() ? check.getColumn(0).getString() : "ok";
    if (finding != "ok") refuse_damaged(path, finding);
  });
  return {!counts_agree.get()};
}

std::uint32_t big_endian(const std::array<unsigned char, kHeaderBytes>& header, std::size_t at) {
  return static_cast<std::uint32_t>(header.at(at)) << 24 | static_cast<std::uint32_t>(header.at(at + 1)) << 16 |
         static_cast<std::uint32_t>(header.at(at + 2)) << 8 | header.at(at + 3);
}

}  // namespace

std::string resolve_database_path(const std::string& path) {
  if (path.empty()) throw Error(ErrorCode::kInvalidArgument, "the database needs a file name; give one with --db");
  if (path.find('\0') != std::string::npos) {
    throw Error(ErrorCode::kInvalidArgument, "the database's file name contains a NUL byte; give another with --db");
  }
  std::error_code failed;
  const fs::path resolved = fs::weakly_canonical(fs::absolute(path), failed);
  if (failed) refuse(failed.value(), "cannot open the database " + path);
  struct stat info {};
  if (stat(resolved.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    throw Error(ErrorCode::kInvalidArgument, path +
                                                 (S_ISDIR(info.st_mode) ? " is a folder" : " is not a regular file") +
                                                 ", not a database; name a file in --db");
  }
  if (resolved.filename().empty()) {
    throw Error(ErrorCode::kInvalidArgument, path + " names a folder, not a database; name a file in --db");
  }
  return resolved.string();
}

void require_database_folder(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  struct stat info {};
  if (stat(folder.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return;
  if (errno == EACCES) refuse(errno, "cannot access the folder of the database " + path);
  throw Error(ErrorCode::kInvalidArgument, "there is no folder " + folder.string() + " for the database " + path +
                                               "; create it, or choose another file with --db");
}

void make_database_folder(const std::string& path) {
  fs::path missing;
  for (const fs::path& part : fs::path(path).parent_path()) {
    missing /= part;
    if (mkdir(missing.c_str(), 0700) == 0 || errno == EEXIST) continue;
    const int reason = errno;
    struct stat info {};
    if (stat(missing.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) continue;
    refuse(reason, "cannot create the folder " + missing.string() + " for the database " + path);
  }
}

FileFindings require_writable_database(const std::string& path) {
  if (is_new(path)) {
    require_absent(path + "-wal", path);
    require_absent(path + "-journal", path);
    if (!exists(path)) return {};
  }
  if (faccessat(AT_FDCWD, path.c_str(), R_OK | W_OK, AT_EACCESS) != 0) {
    refuse(errno, "cannot read and write the database " + path);
  }
  if (is_new(path)) return {};
  // Reads the header without SQLite, which would look for journals and roll a foreign one back into a foreign file.
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) refuse(errno, "cannot read the database " + path);
  std::array<unsigned char, kHeaderBytes> header{};
  const ssize_t n = pread(file.get(), header.data(), header.size(), 0);
  if (n < 0) refuse(errno, "cannot read the database " + path);
  constexpr char kMagic[] = "SQLite format 3";
  if (n < kHeaderBytes || std::memcmp(header.data(), kMagic, sizeof kMagic) != 0) {
    throw Error(ErrorCode::kIo, path + " is not an SQLite database; choose another file with --db");
  }
  require_known_version(path, big_endian(header, kApplicationIdOffset), big_endian(header, kVersionOffset),
                        kOldestVersion);
  return require_undamaged(path);
}

SQLite::Database open_for_writing(const std::string& path, bool sync_every_commit,
                                  std::chrono::milliseconds busy_timeout, FileFindings findings) {
  if (is_new(path)) make_database(path);
  try {
    SQLite::Database db(path, SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX, static_cast<int>(busy_timeout.count()));
    const std::string mode = use_write_ahead_log(db);
    if (mode != "wal") {
      throw Error(ErrorCode::kIo, "cannot use a write-ahead log for " + path +
                                      ": the file system has no shared memory; choose a local disk with --db");
    }
    upgrade(db, known_version_of(path, db));
    add_extra_tables(db);
    if (findings.counts_differ) rebuild_counts(db);
    db.exec(sync_every_commit ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    db.exec("PRAGMA journal_size_limit=16777216");
    db.exec("PRAGMA cache_size=-16384");
    db.exec("PRAGMA temp_store=MEMORY");
    return db;
  } catch (const SQLite::Exception& e) {
    throw in_use_at_start(store_error(e, "open the database", path));
  }
}

SQLite::Database open_for_reading(const std::string& path, std::chrono::milliseconds busy_timeout) {
  try {
    return {path, SQLite::OPEN_READONLY | SQLite::OPEN_NOMUTEX, static_cast<int>(busy_timeout.count())};
  } catch (const SQLite::Exception& e) {
    throw store_error(e, "open the database", path);
  }
}

void require_known_version(const std::string& path, long application_id, long version, int oldest) {
  if (application_id != kApplicationId) {
    throw Error(ErrorCode::kIo, path + " is a database of another program; name the file of an sse-serve with --db");
  }
  if (version >= kOldestVersion && version < oldest) {
    throw Error(ErrorCode::kConflict, path + " has format " + std::to_string(version) +
                                          ", which must be upgraded first; start sse-serve on it once");
  }
  if (version < oldest || version > kSchemaVersion) {
    throw Error(ErrorCode::kConflict, path + " has format " + std::to_string(version) + ", this program reads format " +
                                          std::to_string(kSchemaVersion) +
                                          "; use the version that wrote it or name another file with --db");
  }
}

}  // namespace sse::store
