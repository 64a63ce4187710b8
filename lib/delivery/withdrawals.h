#pragma once

#include <functional>
#include <map>
#include <vector>

#include "base/ids.h"
#include "base/mutex.h"
#include "delivery/message_repository.h"

namespace sse::delivery {

/// Tells whoever asked of a service what its recipients no longer have pending. Thread safe; the listeners are called
/// one at a time.
class Withdrawals {
 public:
  /// As MessageRepository::report_withdrawn(). After it has returned, the listener before is not called any more.
  void set(const ServiceName& service, MessageRepository::Withdraw listener) EXCLUDES(mutex_);
  void report(std::vector<Withdrawn> gone) EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  std::map<ServiceName, MessageRepository::Withdraw> listeners_ GUARDED_BY(mutex_);
};

}  // namespace sse::delivery
