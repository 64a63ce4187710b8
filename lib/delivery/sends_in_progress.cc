#include "delivery/sends_in_progress.h"

namespace sse::delivery {

std::shared_ptr<void> SendsInProgress::begin() {
  const MutexLock lock(mutex_);
  if (stopping_) return nullptr;
  return token();
}

std::shared_ptr<void> SendsInProgress::begin_waiting() {
  const MutexLock lock(mutex_);
  return token();
}

std::shared_ptr<void> SendsInProgress::token() {
  ++count_;
  return {this, [](SendsInProgress* sends) {
            const MutexLock in_time(sends->mutex_);
            if (--sends->count_ == 0) sends->changed_.notify_all();
          }};
}

void SendsInProgress::stop() {
  const MutexLock lock(mutex_);
  stopping_ = true;
  while (count_ != 0) changed_.wait(mutex_);
}

}  // namespace sse::delivery
