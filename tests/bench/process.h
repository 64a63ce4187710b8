#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/fd.h"

namespace sse::bench {

/// A child process to be measured. The destructor stops it; the kernel kills it if this program dies.
class Process {
 public:
  /// Starts the program and waits until it prints a line that contains `ready`; printed() then has the output. Does not
  /// wait if `ready` is empty. Throws Error(kUnavailable) if the line does not appear.
  Process(const std::vector<std::string>& words, const std::string& ready);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  const std::string& printed() const { return printed_; }
  /// Sends SIGKILL, like a crash.
  void kill();
  /// User and system time so far, including children.
  double cpu_seconds() const;
  /// Anonymous and shared memory of the process and its children, with shared pages counted once. This is the allocated
  /// memory, without code and without the kernel's socket buffers.
  double memory_bytes() const;

 private:
  std::vector<pid_t> all() const;

  pid_t pid_ = -1;
  std::string printed_;
  UniqueFd output_;
};

}  // namespace sse::bench
