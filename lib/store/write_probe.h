#pragma once

#include <functional>

namespace sse::store {

/// A store whose writes are made by a thread of its own.
class WriteProbe {
 public:
  virtual ~WriteProbe() = default;
  /// Calls `answer` once that thread has worked off what was queued before, or is stopped. Does not wait. Thread safe;
  /// `answer` must be quick and not throw.
  virtual void probe_writes(std::function<void()> answer) = 0;
};

}  // namespace sse::store
