#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "store/sqlite/sqlite_file.h"
#include "store/sqlite/sqlite_reader.h"

namespace sse::store {

/// A pool of up to kMax reading connections, opened on demand and reused. Thread safe.
class ReaderPool {
 public:
  ReaderPool(std::string path, std::chrono::milliseconds busy_timeout)
      : path_(std::move(path)), busy_timeout_(busy_timeout) {}

  /// Runs `query(SqliteReader&)` on a free connection, waiting for one when all are in use.
  template <class Query>
  auto run(const Query& query) EXCLUDES(mutex_) {
    Lease lease(*this);
    return query(lease.reader());
  }

 private:
  static constexpr std::size_t kMax = 8;

  class Lease {
   public:
    explicit Lease(ReaderPool& pool) : pool_(pool), reader_(pool.take()) {}
    ~Lease() { pool_.give_back(std::move(reader_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    SqliteReader& reader() {
      if (!reader_) {
        reader_ = std::make_unique<SqliteReader>(open_for_reading(pool_.path_, pool_.busy_timeout_), pool_.path_);
      }
      return *reader_;
    }

   private:
    ReaderPool& pool_;
    std::unique_ptr<SqliteReader> reader_;
  };

  // Null: the caller may open another connection.
  std::unique_ptr<SqliteReader> take() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (in_use_ == kMax) returned_.wait(mutex_);
    ++in_use_;
    if (idle_.empty()) return nullptr;
    std::unique_ptr<SqliteReader> reader = std::move(idle_.back());
    idle_.pop_back();
    return reader;
  }
  void give_back(std::unique_ptr<SqliteReader> reader) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    --in_use_;
    if (reader) idle_.push_back(std::move(reader));
    returned_.notify_one();
  }

  const std::string path_;
  const std::chrono::milliseconds busy_timeout_;

  Mutex mutex_;
  CondVar returned_;
  std::vector<std::unique_ptr<SqliteReader>> idle_ GUARDED_BY(mutex_);
  std::size_t in_use_ GUARDED_BY(mutex_) = 0;
};

}  // namespace sse::store
