#include "base/lock_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace sse {
namespace {

std::string holder(int fd) {
  std::array<char, 24> text{};
  const ssize_t n = pread(fd, text.data(), text.size(), 0);
  std::string_view pid(text.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  pid = pid.substr(0, pid.find_first_not_of("0123456789"));
  return pid.empty() ? "" : " (pid " + std::string(pid) + ")";
}

// The holder deletes the file before it unlocks, so that the locked file may have no name any more.
bool still_named(int fd, const std::string& path) {
  struct stat ours {};
  struct stat named {};
  return fstat(fd, &ours) == 0 && stat(path.c_str(), &named) == 0 && ours.st_ino == named.st_ino &&
         ours.st_dev == named.st_dev;
}

}  // namespace

LockFile::LockFile(std::string path, const LockErrors& errors) : path_(std::move(path)) {
  do {
    fd_.reset(open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd_.valid()) {
      const Error plain = system_error(errno, errors.cannot_open);
      throw Error(plain.code(), plain.what() + ("; " + errors.advice));
    }
    if (flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) throw system_error(errno, "cannot lock " + path_);
      throw Error(ErrorCode::kConflict, errors.taken(holder(fd_.get())));
    }
  } while (!still_named(fd_.get(), path_));
  const std::string pid = std::to_string(getpid()) + "\n";
  if (ftruncate(fd_.get(), 0) != 0 || pwrite(fd_.get(), pid.data(), pid.size(), 0) < 0) {
    // Without the process id only the other process's error message is less helpful: the lock is held.
  }
}

LockFile::~LockFile() {
  unlink(path_.c_str());
}

}  // namespace sse
