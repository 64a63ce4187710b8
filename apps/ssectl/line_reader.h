#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/units.h"

namespace sse::ctl {

/// Lines of a file, or of what is piped in, as they come. Holds one line and a piece of what follows.
class LineReader {
 public:
  /// `file`: `-` is standard input. Throws Error(kIo) when it cannot be opened.
  LineReader(const std::string& file, ByteCount longest);

  enum class Got {
    kLine,
    kTooLong,  ///< a line that is longer was skipped
    kPause,    ///< nothing came for so long
    kEnd,
  };
  /// The next line, without its line feed. A negative `pause_millis` waits for ever. Throws Error(kIo).
  Got next(std::string& line, int pause_millis);

  /// Of the input, as far as lines were returned.
  std::uint64_t bytes_done() const { return read_ - (rest_.size() - begin_); }
  /// 0 when it is not known.
  std::uint64_t size() const { return size_; }

 private:
  UniqueFd own_;
  int fd_ = -1;
  const ByteCount longest_;
  std::string rest_;
  std::size_t begin_ = 0;    // of what was not returned
  std::size_t scanned_ = 0;  // no line feed up to here
  bool skipping_ = false;    // to the end of a line that is too long
  std::uint64_t read_ = 0;
  std::uint64_t size_ = 0;
};

}  // namespace sse::ctl
