#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

/// For fuzz targets. Each defines LLVMFuzzerTestOneInput(), which aborts where something that must hold does not; with
/// clang libFuzzer calls it, with any compiler replay.cc does so with the corpus.
namespace sse::fuzz {

inline void expect(bool condition) {
  if (!condition) std::abort();
}

/// What is left of an input, cut off piece by piece.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  /// 0 at the end.
  unsigned char byte() {
    if (rest_.empty()) return 0;
    const auto first = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    return first;
  }
  /// Up to the next line break, which goes with it.
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
