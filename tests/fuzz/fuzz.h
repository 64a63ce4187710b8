#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

/// Helpers for fuzz targets. Each target defines LLVMFuzzerTestOneInput(), which aborts if an invariant is violated.
/// With clang libFuzzer calls it; with any compiler replay.cc calls it with the corpus.
namespace sse::fuzz {

inline void expect(bool condition) {
  if (!condition) std::abort();
}

/// Consumes a fuzz input piece by piece.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  /// The next byte; 0 at the end.
  unsigned char byte() {
    if (rest_.empty()) return 0;
    const auto first = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    return first;
  }
  /// The text up to the next line feed, which is consumed but not returned.
  std::string_view line() {
    const std::string_view found = rest_.substr(0, rest_.find('\n'));
    rest_.remove_prefix(std::min(found.size() + 1, rest_.size()));
    return found;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

}  // namespace sse::fuzz
