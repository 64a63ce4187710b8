#include "ssectl/input/files.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "base/units.h"

namespace sse::ctl {
namespace {

constexpr ByteCount kMaxInput = mebibytes(64);

std::string read_to_end(int fd, const std::string& name) {
  std::string text;
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got == 0) return text;
    if (got < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) {
        pollfd wait{fd, POLLIN, 0};
        poll(&wait, 1, -1);
        continue;
      }
      throw system_error(errno, "cannot read " + name);
    }
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > kMaxInput.count()) {
      throw Error(ErrorCode::kTooLarge, name + " is longer than " + format_bytes(kMaxInput) + "; send less");
    }
  }
}

}  // namespace

std::string read_file(const std::string& path) {
  if (path == "-") return read_to_end(STDIN_FILENO, "standard input");
  const std::string name = "'" + printable(path) + "'";
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) throw system_error(errno, "cannot open " + name);
  return read_to_end(fd.get(), name);
}

std::optional<std::string> piped_input(std::chrono::milliseconds timeout) {
  struct stat kind {};
  if (fstat(STDIN_FILENO, &kind) != 0) return std::nullopt;
  const bool pipe = S_ISFIFO(kind.st_mode) || S_ISSOCK(kind.st_mode);
  if (!pipe && !S_ISREG(kind.st_mode)) return std::nullopt;
  if (pipe) {
    pollfd wait{STDIN_FILENO, POLLIN, 0};
    int ready = 0;
    do {
      ready = poll(&wait, 1, static_cast<int>(timeout.count()));
    } while (ready < 0 && errno == EINTR);
    if (ready == 0) {
      throw Error(ErrorCode::kTimeout,
                  "standard input is an open pipe, but no data arrived within " + format_duration(timeout) +
                      "; give DATA, '-' to wait without a limit, or </dev/null for the demo payload");
    }
  }
  std::string text = read_to_end(STDIN_FILENO, "standard input");
  if (text.empty()) return std::nullopt;
  return text;
}

std::string read_token(const std::string& path) {
  const std::vector<std::string> lines = split_list(read_file(path), '\n');
  std::string token = lines.empty() ? "" : lines.front();
  token.erase(token.find_last_not_of(" \t\r") + 1);
  if (token.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "the token file '" + printable(path) + "' has an empty first line; the token must be there");
  }
  return token;
}

}  // namespace sse::ctl
