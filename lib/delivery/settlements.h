#pragma once

#include <map>

#include "base/ids.h"
#include "base/mutex.h"
#include "delivery/message_repository.h"

namespace sse::delivery {

/// Tells whoever asked of a service which recipients no longer have an awaited message pending. Thread safe; the
/// listeners are called one at a time.
class Settlements {
 public:
  /// As MessageRepository::report_settled(). After it has returned, the listener before is not called any more.
  void set(const ServiceName& service, MessageRepository::Settled listener) EXCLUDES(mutex_);
  void report(const ServiceName& service, const Recipient& recipient, MessageId message) EXCLUDES(mutex_);
  /// Of any service something may have been missed.
  void report_missed() EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  std::map<ServiceName, MessageRepository::Settled> listeners_ GUARDED_BY(mutex_);
};

}  // namespace sse::delivery
