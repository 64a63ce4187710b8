#pragma once

#include <string>
#include <string_view>

#include "event/chunk_reader.h"
#include "ssectl/load/mark.h"

namespace sse::load {

/// Finds the measured events in the bytes of one stream, however these are split into reads. It looks for their data
/// lines only, because its own cost is part of every measurement.
class EventReader {
 public:
  enum class Head : unsigned char {
    kIncomplete,
    kGood,
    kRefused,  ///< status() has the status line
  };

  /// Removes the response head from the front of `bytes` and parses it. REQUIRES: head() is kIncomplete.
  Head read_head(std::string_view& bytes);
  Head head() const { return head_; }
  /// The status line of a response that is not 200.
  const std::string& status() const { return partial_; }

  /// Calls `take(const Mark&)` for each measured event. REQUIRES: head() is kGood.
  template <class Take>
  void read(std::string_view bytes, Take take) {
    if (chunked_) {
      chunks_.feed(bytes, [&](std::string_view part) { read_body(part, take); });
    } else {
      read_body(bytes, take);
    }
  }

 private:
  template <class Take>
  void read_body(std::string_view bytes, Take& take) {
    while (!bytes.empty()) {
      const std::size_t end = bytes.find('\n');
      if (end == std::string_view::npos) {
        partial_ += bytes;
        return;
      }
      std::string_view line = bytes.substr(0, end);
      if (!partial_.empty()) line = partial_ += line;
      if (const auto mark = mark_of(line)) take(*mark);
      partial_.clear();
      bytes.remove_prefix(end + 1);
    }
  }

  static std::optional<Mark> mark_of(std::string_view line);

  std::string partial_;  // an unfinished head or line
  event::ChunkReader chunks_;
  Head head_ = Head::kIncomplete;
  bool chunked_ = false;
};

}  // namespace sse::load
