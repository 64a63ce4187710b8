#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace sse::net {

/// What a body on disk costs of a budget at least, so that small ones are bounded in number by the same budget.
inline constexpr std::uint64_t kLeastOnDisk = std::uint64_t{1024} * 1024;

/// A request body on disk instead of in memory, in a file without a name: whatever happens, nothing of it is left when
/// this is gone. One thread at a time.
class Spool {
 public:
  /// Writes behind what is there; the first time, makes the file in `folder`. Throws Error(kIo) that names the folder.
  void append(std::string_view bytes, const std::string& folder);
  std::uint64_t size() const { return size_; }
  /// To be read with pread(2) from 0 to size(); -1 before the first append().
  int fd() const { return file_.get(); }

 private:
  UniqueFd file_;
  std::uint64_t size_ = 0;
};

}  // namespace sse::net
