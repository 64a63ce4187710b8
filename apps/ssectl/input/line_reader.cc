#include "ssectl/input/line_reader.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/error.h"

namespace sse::ctl {

LineReader::LineReader(const std::string& file, ByteCount longest) : longest_(longest) {
  if (file != "-") {
    own_ = UniqueFd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!own_.valid()) throw system_error(errno, "cannot read " + file);
  }
  fd_ = file == "-" ? STDIN_FILENO : own_.get();
  struct stat status {};
  if (fstat(fd_, &status) == 0 && S_ISREG(status.st_mode)) size_ = static_cast<std::uint64_t>(status.st_size);
}

LineReader::ReadResult LineReader::next(std::string& line, int pause_millis) {
  for (;;) {
    if (const std::size_t end = rest_.find('\n', std::max(begin_, scanned_)); end != std::string::npos) {
      const std::size_t size = end - begin_;
      const bool too_long = std::exchange(skipping_, false) || size > longest_.count();
      if (!too_long) line.assign(rest_, begin_, size);
      begin_ = end + 1;
      scanned_ = begin_;
      return too_long ? ReadResult::kTooLong : ReadResult::kLine;
    }
    rest_.erase(0, std::exchange(begin_, 0));
    if (rest_.size() > longest_.count() || skipping_) {
      skipping_ = true;
      rest_.clear();
    }
    scanned_ = rest_.size();
    pollfd input{fd_, POLLIN, 0};
    const int ready = poll(&input, 1, pause_millis);
    if (ready == 0) return ReadResult::kPause;
    if (ready < 0 && errno == EINTR) continue;
    std::array<char, 65536> bytes;
    const ssize_t n = ::read(fd_, bytes.data(), bytes.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) throw system_error(errno, "cannot read the input");
    if (n == 0) {
      scanned_ = 0;
      line = std::exchange(rest_, {});
      if (std::exchange(skipping_, false)) return ReadResult::kTooLong;
      return line.empty() ? ReadResult::kEnd : ReadResult::kLine;
    }
    read_ += static_cast<std::uint64_t>(n);
    rest_.append(bytes.data(), static_cast<std::size_t>(n));
  }
}

}  // namespace sse::ctl
