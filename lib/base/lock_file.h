#pragma once

#include <functional>
#include <string>

#include "base/fd.h"

namespace sse {

/// Keeps a second process (or a second holder in this one) off something, with flock(2) on a file that names the
/// holder's process id. The kernel drops the lock when the holder dies, however it dies. Not thread safe; several
/// threads may each have one.
class LockFile {
 public:
  struct Sentences {
    std::string cannot_open;  ///< what failed, without the reason
    std::string advice;       ///< what to do about that
    /// What is said when another holds it; `holder` is " (pid 4711)", or empty when it is not known.
    std::function<std::string(const std::string& holder)> taken;
  };

  /// Takes the lock at `path`, whose file is made with mode 0600. Throws Error: kConflict with what `taken` returns,
  /// otherwise as system_error().
  LockFile(std::string path, const Sentences& say);
  /// Deletes the file and drops the lock.
  ~LockFile();
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;

 private:
  const std::string path_;
  UniqueFd fd_;
};

}  // namespace sse
