#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace sse {

/// A point in civil time, in milliseconds since 1970-01-01T00:00:00Z, for storage and display; may jump.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// A number of bytes.
class ByteCount {
 public:
  constexpr ByteCount() = default;
  /// That many bytes.
  constexpr explicit ByteCount(std::uint64_t bytes) : bytes_(bytes) {}

  /// The number of bytes.
  constexpr std::uint64_t count() const { return bytes_; }
  /// Compares the numbers.
  friend constexpr auto operator<=>(const ByteCount&, const ByteCount&) = default;

 private:
  std::uint64_t bytes_ = 0;
};

/// `n` × 1024 bytes.
constexpr ByteCount kibibytes(std::uint64_t n) {
  return ByteCount(n * 1024);
}
/// `n` × 1024 × 1024 bytes.
constexpr ByteCount mebibytes(std::uint64_t n) {
  return ByteCount(n * 1024 * 1024);
}

}  // namespace sse
