#include "delivery/withdrawals.h"

#include <utility>

#include "observe/barrier.h"

namespace sse::delivery {

void Withdrawals::set(const ServiceName& service, MessageRepository::Withdraw listener) {
  const MutexLock lock(mutex_);
  if (listener) {
    listeners_[service] = std::move(listener);
  } else {
    listeners_.erase(service);
  }
}

void Withdrawals::report(std::vector<Withdrawn> gone) {
  if (gone.empty()) return;
  std::map<ServiceName, std::vector<Withdrawn>> by_service;
  for (Withdrawn& one : gone) by_service[one.service].push_back(std::move(one));
  const MutexLock lock(mutex_);
  for (const auto& some : by_service) {
    const auto listener = listeners_.find(some.first);
    if (listener != listeners_.end()) observe::guarded("what was withdrawn", [&] { listener->second(some.second); });
  }
}

}  // namespace sse::delivery
