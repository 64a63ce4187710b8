#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace sse::load {

/// Detects duplicate and out-of-order events of one stream, per sender. It is exact, however far apart two duplicates
/// are. Needs a few bytes per sender, and more only for gaps in the sequence.
class OrderCheck {
 public:
  enum class Result : std::uint8_t {
    kInOrder,
    kLate,  ///< seen for the first time, but after an event with a higher number
    kDuplicate,
  };
  Result record(std::uint32_t sender, std::uint64_t sequence);

 private:
  using Range = std::pair<std::uint64_t, std::uint64_t>;  // first, end
  struct Sender {
    std::uint64_t next = 0;
    std::unique_ptr<std::vector<Range>> missing;  // below next
  };
  std::vector<Sender> senders_;
};

}  // namespace sse::load
