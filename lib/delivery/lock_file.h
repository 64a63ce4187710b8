#pragma once

#include <string>

#include "base/fd.h"

namespace sse::delivery {

/// Keeps a second process (or a second repository in this one) off a database, with flock(2) on a file beside it that
/// names the holder's process id. The kernel drops the lock when the holder dies, however it dies. Not thread safe.
class LockFile {
 public:
  /// Takes the lock `<database>.lock`. Throws Error: kConflict naming the holder, otherwise as system_error().
  explicit LockFile(const std::string& database);
  /// Deletes the file and drops the lock.
  ~LockFile();
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;

 private:
  std::string path_;
  UniqueFd fd_;
};

}  // namespace sse::delivery
