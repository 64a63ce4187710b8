#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace sse::load {

/// Tells for one stream which events came twice or behind a later one of the same sender; exact, however long ago the
/// first was. Costs a few bytes a sender, and more only for what is missing.
class OrderCheck {
 public:
  enum class Verdict : std::uint8_t {
    kInOrder,
    kLate,  ///< the first time, but behind one with a higher number
    kDuplicate,
  };
  Verdict see(std::uint32_t sender, std::uint64_t sequence);

 private:
  using Range = std::pair<std::uint64_t, std::uint64_t>;  // first, end
  struct Sender {
    std::uint64_t next = 0;
    std::unique_ptr<std::vector<Range>> missing;  // below next
  };
  std::vector<Sender> senders_;
};

}  // namespace sse::load
