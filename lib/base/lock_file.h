#pragma once

#include <functional>
#include <string>

#include "base/fd.h"

namespace sse {

/// Protects a resource from a second process (or a second holder in this process) with flock(2) on a file that contains
/// the holder's process id. The kernel releases the lock when the holder dies, however it dies. Not thread safe;
/// several threads may each hold one.
class LockFile {
 public:
  struct LockErrors {
    std::string cannot_open;  ///< the failed action, without the reason
    std::string advice;       ///< how the user can solve the problem
    /// Returns the error message when the lock is taken; `holder` is " (pid 4711)", or empty when unknown.
    std::function<std::string(const std::string& holder)> taken;
  };

  /// Takes the lock at `path`, whose file is created with mode 0600. Throws Error: kConflict with the text that `taken`
  /// returns, otherwise as system_error().
  LockFile(std::string path, const LockErrors& errors);
  /// Deletes the file and releases the lock.
  ~LockFile();
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;

 private:
  const std::string path_;
  UniqueFd fd_;
};

}  // namespace sse
