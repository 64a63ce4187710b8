#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/fd.h"

namespace sse::bench {

/// A child program that is measured; ended when this is destroyed, and by the kernel should this program die.
class Process {
 public:
  /// Returns when the program has printed a line that holds `ready`, which printed() then has; at once if that is
  /// empty. Throws Error(kUnavailable) when it does not come.
  Process(const std::vector<std::string>& words, const std::string& ready);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  const std::string& printed() const { return printed_; }
  /// As a crash would.
  void kill();
  /// User and system time so far, children's included.
  double cpu_seconds() const;
  /// Anonymous and shared memory that belongs to it and its children, pages shared between them counted once: what it
  /// allocated, not its code, nor the kernel's socket buffers.
  double memory_bytes() const;

 private:
  std::vector<pid_t> all() const;

  pid_t pid_ = -1;
  std::string printed_;
  UniqueFd output_;
};

}  // namespace sse::bench
