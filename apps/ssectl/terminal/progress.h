#pragma once

#include <cstdint>

#include "base/clock.h"

namespace sse::ctl {

/// A progress bar on standard error, drawn only if that is a terminal. One thread at a time.
class Progress {
 public:
  Progress();
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Cheap to call often: it draws at most ten times a second, and when done.
  void show(const char* what, std::uint64_t done, std::uint64_t all);
  /// Erases the bar.
  void clear();

 private:
  bool shown_;
  bool drawn_ = false;
  SteadyTime next_{};
};

}  // namespace sse::ctl
