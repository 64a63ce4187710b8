#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace sse::net {

/// The least that a body on disk counts against a budget, so that the budget also limits the number of small bodies.
inline constexpr std::uint64_t kMinBytesOnDisk = std::uint64_t{1024} * 1024;

/// A request body on disk instead of in memory, in an unlinked file: nothing of it is left after the destructor or a
/// crash. One thread at a time.
class Spool {
 public:
  /// Appends `bytes`; the first call creates the file in `folder`. Throws Error(kIo) that names the folder.
  void append(std::string_view bytes, const std::string& folder);
  std::uint64_t size() const { return size_; }
  /// To be read with pread(2) from 0 to size(); -1 before the first append().
  int fd() const { return file_.get(); }

 private:
  UniqueFd file_;
  std::uint64_t size_ = 0;
};

}  // namespace sse::net
