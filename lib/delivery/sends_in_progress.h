#pragma once

#include <cstddef>
#include <memory>

#include "base/mutex.h"

namespace sse::delivery {

/// Counts the sends that other threads complete (the store's, the bus'), so that the objects they use can outlive them.
/// Thread safe.
class SendsInProgress {
 public:
  SendsInProgress() = default;
  SendsInProgress(const SendsInProgress&) = delete;
  SendsInProgress& operator=(const SendsInProgress&) = delete;

  /// Returns a token to hold until the send is complete: stop() waits for all tokens. Null after stop().
  std::shared_ptr<void> begin() EXCLUDES(mutex_);
  /// The same for a caller that waits for its send, and so may begin it after stop(). Never null.
  std::shared_ptr<void> begin_waiting() EXCLUDES(mutex_);
  /// Waits until all tokens are destroyed.
  void stop() EXCLUDES(mutex_);

 private:
  std::shared_ptr<void> token() REQUIRES(mutex_);

  Mutex mutex_;
  CondVar changed_;
  std::size_t count_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace sse::delivery
