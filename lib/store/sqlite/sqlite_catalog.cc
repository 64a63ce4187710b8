#include "store/sqlite/sqlite_catalog.h"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "base/error.h"
#include "base/url.h"
#include "store/sqlite/sqlite_file.h"
#include "store/sqlite/sqlite_reader.h"
#include "store/sqlite/store_error.h"

namespace sse::store {
namespace {

constexpr std::chrono::milliseconds kBusyTimeout{2000};
constexpr int kAttempts = 5;

// The properties that change when a server opens, checkpoints or replaces the file.
struct FileState {
  bool has_wal = false;
  bool has_shm = false;
  ino_t inode = 0;
  off_t size = 0;
  std::int64_t modified = 0;

  friend bool operator==(const FileState&, const FileState&) = default;
};

FileState state_of(const std::string& path) {
  struct stat file {};
  if (stat(path.c_str(), &file) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      throw Error(ErrorCode::kNotFound, "there is no database " + path + "; name the file of an sse-serve with --db");
    }
    throw system_error(errno, "cannot read the database " + path);
  }
  struct stat side {};
  const bool has_wal = stat((path + "-wal").c_str(), &side) == 0 && side.st_size > 0;
  const bool has_shm = stat((path + "-shm").c_str(), &side) == 0;
  return {has_wal, has_shm, file.st_ino, file.st_size,
          static_cast<std::int64_t>(file.st_mtim.tv_sec) * 1'000'000'000 + file.st_mtim.tv_nsec};
}

class SqliteCatalog final : public MessageCatalog {
 public:
  explicit SqliteCatalog(std::string path) : path_(std::move(path)) {}

  std::uint64_t count(const MessageFilter& filter) override {
    return read([&](SqliteReader& reader) { return reader.count(filter); });
  }
  std::vector<PendingMessage> list(const MessageFilter& filter, std::uint64_t skip, std::size_t limit) override {
    return read([&](SqliteReader& reader) { return reader.list(filter, skip, limit); });
  }
  std::vector<PendingMessage> find(MessageId id) override {
    return read([&](SqliteReader& reader) { return reader.find(id); });
  }
  std::uint64_t erase(MessageId) override { refuse(); }
  std::uint64_t purge(const MessageFilter&) override { refuse(); }

 private:
  [[noreturn]] void refuse() const {
    throw Error(ErrorCode::kPermissionDenied,
                "cannot delete from " + path_ + " directly; delete through the running server, without --db");
  }

  // Without a log the file is opened as `immutable`, because SQLite would otherwise create the -wal and -shm files.
  // Immutable means unlocked, so the result counts only if no server has changed the file meanwhile.
  template <class Query>
  auto read(const Query& query) -> decltype(query(std::declval<SqliteReader&>())) {
    for (int attempt = 1;; ++attempt) {
      const FileState before = state_of(path_);
      const auto changed_meanwhile = [&] {
        return !before.has_wal && attempt < kAttempts && state_of(path_) != before;
      };
      try {
        SqliteReader reader(open(before), path_);
        auto result = query(reader);
        if (!changed_meanwhile()) return result;
      } catch (const StoreError&) {
        if (!changed_meanwhile()) throw;
      }
    }
  }

  SQLite::Database open(const FileState& state) const {
    if (state.size == 0) throw Error(ErrorCode::kInvalidArgument, path_ + " is empty; name another file with --db");
    if (access(path_.c_str(), R_OK) != 0) throw system_error(errno, "cannot read the database " + path_);
    if (state.has_wal && !state.has_shm) {
      throw Error(ErrorCode::kIo, "cannot read the database " + path_ + ": its log " + path_ +
                                      "-wal exists without its index " + path_ +
                                      "-shm; copy all three files, or start and stop sse-serve on it once");
    }
    try {
      const std::string mode = state.has_wal ? "?readonly_shm=1" : "?immutable=1";
      SQLite::Database db("file:" + url_encode(path_) + mode, SQLite::OPEN_READONLY | SQLite::OPEN_URI,
                          static_cast<int>(kBusyTimeout.count()));
      const int application_id = db.execAndGet("PRAGMA application_id").getInt();
      require_known_version(path_, application_id, db.execAndGet("PRAGMA user_version").getInt(), kSchemaVersion);
      return db;
    } catch (const SQLite::Exception& e) {
      throw store_error(e, "read the database", path_);
    }
  }

  const std::string path_;
};

}  // namespace

std::unique_ptr<MessageCatalog> open_catalog(const std::string& path) {
  auto catalog = std::make_unique<SqliteCatalog>(resolve_database_path(path));
  catalog->count({});
  return catalog;
}

}  // namespace sse::store
