#pragma once

#include <functional>
#include <map>
#include <vector>

#include "base/ids.h"
#include "base/mutex.h"
#include "store/message_repository.h"

namespace sse::store {

/// Notifies one listener per service of messages that its recipients no longer have pending, unconfirmed. Thread safe;
/// listeners are called one at a time.
class Withdrawals {
 public:
  /// As WithdrawalReports::report_withdrawn(). Once it has returned, the previous listener is no longer called.
  void set(const ServiceName& service, WithdrawalReports::Withdraw listener) EXCLUDES(mutex_);
  void report(std::vector<Withdrawn> removed) EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  std::map<ServiceName, WithdrawalReports::Withdraw> listeners_ GUARDED_BY(mutex_);
};

}  // namespace sse::store
