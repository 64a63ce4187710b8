#include "store/withdrawals.h"

#include <utility>

#include "observe/barrier.h"

namespace sse::store {

void Withdrawals::set(const ServiceName& service, WithdrawalReports::Withdraw listener) {
  const MutexLock lock(mutex_);
  if (listener) {
    listeners_[service] = std::move(listener);
  } else {
    listeners_.erase(service);
  }
}

void Withdrawals::report(std::vector<Withdrawn> removed) {
  if (removed.empty()) return;
  std::map<ServiceName, std::vector<Withdrawn>> by_service;
  for (Withdrawn& one : removed) by_service[one.service].push_back(std::move(one));
  const MutexLock lock(mutex_);
  for (const auto& entry : by_service) {
    const auto listener = listeners_.find(entry.first);
    if (listener != listeners_.end())
      observe::guarded("a withdrawal listener", [&] { listener->second(entry.second); });
  }
}

}  // namespace sse::store
