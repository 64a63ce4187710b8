#include "net/spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/error.h"

namespace sse::net {
namespace {

UniqueFd nameless_file(const std::string& folder) {
  UniqueFd file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file.valid()) return file;
  // Not every file system supports O_TMPFILE.
  std::string path = folder + "/sse-body-XXXXXX";
  file.reset(::mkostemp(path.data(), O_CLOEXEC));
  if (!file.valid())
    throw system_error(errno, "cannot make a file for a request body in " + folder + " (--upload-dir)");
  ::unlink(path.c_str());
  return file;
}

}  // namespace

void Spool::append(std::string_view bytes, const std::string& folder) {
  if (!file_.valid()) file_ = nameless_file(folder);
  while (!bytes.empty()) {
    const ssize_t n = ::write(file_.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw system_error(errno, "cannot write a request body to " + folder + " (--upload-dir)");
    size_ += static_cast<std::uint64_t>(n);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace sse::net
