#include "delivery/lock_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "base/error.h"

namespace sse::delivery {
namespace {

std::string holder(int fd) {
  std::array<char, 24> text{};
  const ssize_t n = pread(fd, text.data(), text.size(), 0);
  std::string_view pid(text.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  pid = pid.substr(0, pid.find_first_not_of("0123456789"));
  return pid.empty() ? "" : " (pid " + std::string(pid) + ")";
}

// The holder deletes the file before it unlocks, so what we locked may have no name any more.
bool still_named(int fd, const std::string& path) {
  struct stat ours {};
  struct stat named {};
  return fstat(fd, &ours) == 0 && stat(path.c_str(), &named) == 0 && ours.st_ino == named.st_ino &&
         ours.st_dev == named.st_dev;
}

}  // namespace

LockFile::LockFile(const std::string& database) : path_(database + ".lock") {
  do {
    fd_.reset(open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd_.valid()) {
      throw Error(system_error(errno, "").code(),
                  system_error(errno, "cannot open the lock file " + path_).what() +
                      std::string("; make its folder writable or choose another file with --db"));
    }
    if (flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) throw system_error(errno, "cannot lock " + path_);
      throw Error(ErrorCode::kConflict, "another sse-serve" + holder(fd_.get()) + " already uses " + database +
                                            "; stop it or choose another file with --db");
    }
  } while (!still_named(fd_.get(), path_));
  const std::string pid = std::to_string(getpid()) + "\n";
  if (ftruncate(fd_.get(), 0) != 0 || pwrite(fd_.get(), pid.data(), pid.size(), 0) < 0) {
    // Only the other's error message suffers: the lock is held.
  }
}

LockFile::~LockFile() {
  unlink(path_.c_str());
}

}  // namespace sse::delivery
