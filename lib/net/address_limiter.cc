#include "net/address_limiter.h"

#include "net/peer_address.h"

namespace sse::net {

bool AddressLimiter::admit(const std::string& address, std::unique_ptr<Ticket>& ticket) {
  if (max_ == 0 || address.empty()) return true;
  std::string counted = counted_address(address);
  {
    const MutexLock lock(mutex_);
    std::size_t& count = counts_[counted];
    if (count >= max_) return false;
    ++count;
  }
  ticket = std::make_unique<Ticket>(shared_from_this(), std::move(counted));
  return true;
}

void AddressLimiter::release(const std::string& address) {
  const MutexLock lock(mutex_);
  const auto found = counts_.find(address);
  if (--found->second == 0) counts_.erase(found);
}

}  // namespace sse::net
