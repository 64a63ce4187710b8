#pragma once

#include <cstdint>

#include "base/clock.h"

namespace sse::ctl {

/// A bar on standard error while it is a terminal; nothing elsewhere. One thread at a time.
class Progress {
 public:
  Progress();
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Cheap to call often: it draws ten times a second, and at the end.
  void show(const char* what, std::uint64_t done, std::uint64_t all);
  /// Takes the bar away again.
  void clear();

 private:
  bool shown_;
  bool drawn_ = false;
  SteadyTime next_{};
};

}  // namespace sse::ctl
