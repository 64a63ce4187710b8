#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/units.h"

namespace sse::ctl {

/// Reads lines from a file or from standard input as they arrive. Buffers one line and a part of the following input.
class LineReader {
 public:
  /// `file`: `-` is standard input. Throws Error(kIo) when it cannot be opened.
  LineReader(const std::string& file, ByteCount longest);

  enum class ReadResult {
    kLine,
    kTooLong,  ///< a line longer than the limit was skipped
    kPause,    ///< no input arrived for `pause_millis`
    kEnd,
  };
  /// Reads the next line, without its line feed. A negative `pause_millis` waits forever. Throws Error(kIo).
  ReadResult next(std::string& line, int pause_millis);

  /// Bytes of the input up to the end of the last returned line.
  std::uint64_t bytes_done() const { return read_ - (rest_.size() - begin_); }
  /// Bytes of the whole input; 0 if unknown, as for a pipe.
  std::uint64_t size() const { return size_; }

 private:
  UniqueFd own_;
  int fd_ = -1;
  const ByteCount longest_;
  std::string rest_;
  std::size_t begin_ = 0;    // start of the bytes that were not returned yet
  std::size_t scanned_ = 0;  // there is no line feed before this
  bool skipping_ = false;    // until the end of a line that is too long
  std::uint64_t read_ = 0;
  std::uint64_t size_ = 0;
};

}  // namespace sse::ctl
