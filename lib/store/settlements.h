#pragma once

#include <map>

#include "base/ids.h"
#include "base/mutex.h"
#include "store/message_repository.h"

namespace sse::store {

/// Notifies one listener per service when a recipient no longer has an awaited message pending. Thread safe; listeners
/// are called one at a time.
class Settlements {
 public:
  /// As MessageRepository::report_settled(). Once it has returned, the previous listener is no longer called.
  void set(const ServiceName& service, MessageRepository::Settled listener) EXCLUDES(mutex_);
  void report(const ServiceName& service, const Recipient& recipient, MessageId message) EXCLUDES(mutex_);
  /// Notifies the listeners of all services that reports may have been missed.
  void report_missed() EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  std::map<ServiceName, MessageRepository::Settled> listeners_ GUARDED_BY(mutex_);
};

}  // namespace sse::store
