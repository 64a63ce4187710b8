#include "net/address_limiter.h"

namespace sse::net {

bool AddressLimiter::admit(const std::string& address, std::unique_ptr<Ticket>& ticket) {
  if (most_ == 0 || address.empty()) return true;
  {
    const MutexLock lock(mutex_);
    std::size_t& count = counts_[address];
    if (count >= most_) return false;
    ++count;
  }
  ticket = std::make_unique<Ticket>(shared_from_this(), address);
  return true;
}

void AddressLimiter::leave(const std::string& address) {
  const MutexLock lock(mutex_);
  const auto found = counts_.find(address);
  if (--found->second == 0) counts_.erase(found);
}

}  // namespace sse::net
