#include "store/settlements.h"

#include <utility>

namespace sse::store {

void Settlements::set(const ServiceName& service, SharedStore::Settled listener) {
  const MutexLock lock(mutex_);
  if (listener) {
    listeners_[service] = std::move(listener);
  } else {
    listeners_.erase(service);
  }
}

void Settlements::report(const ServiceName& service, const Recipient& recipient, MessageId message) {
  const MutexLock lock(mutex_);
  if (const auto listener = listeners_.find(service); listener != listeners_.end())
    listener->second(recipient, message);
}

void Settlements::report_missed() {
  const MutexLock lock(mutex_);
  for (const auto& [service, listener] : listeners_) listener({}, MessageId());
}

}  // namespace sse::store
