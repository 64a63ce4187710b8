#pragma once

#include <map>

#include "base/ids.h"
#include "base/mutex.h"
#include "store/message_repository.h"
#include "store/repository_abilities.h"

namespace sse::store {

/// Notifies one listener per service when a recipient no longer has an awaited message pending. Thread safe; listeners
/// are called one at a time.
class Settlements {
 public:
  /// As SharedStore::report_settled(). Once it has returned, the previous listener is no longer called.
  void set(const ServiceName& service, SharedStore::Settled listener) EXCLUDES(mutex_);
  void report(const ServiceName& service, const Recipient& recipient, MessageId message) EXCLUDES(mutex_);
  /// Notifies the listeners of all services that reports may have been missed.
  void report_missed() EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  std::map<ServiceName, SharedStore::Settled> listeners_ GUARDED_BY(mutex_);
};

}  // namespace sse::store
