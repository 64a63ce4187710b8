#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/mutex.h"

namespace sse::net {

/// Limits the connections of one client, streams included, to `--max-connections-per-ip`. A client is an IPv4 address
/// or a /64 network of IPv6, see counted_address(). Thread safe.
class AddressLimiter : public std::enable_shared_from_this<AddressLimiter> {
 public:
  /// Owned by the holder of the connection; destroying it releases the connection's place.
  class Ticket;

  /// A maximum of 0: no limit, and no tickets.
  explicit AddressLimiter(std::size_t max) : max_(max) {}
  /// False when `address` is at its limit. `ticket` stays null when there is no limit.
  bool admit(const std::string& address, std::unique_ptr<Ticket>& ticket) EXCLUDES(mutex_);

 private:
  void release(const std::string& address) EXCLUDES(mutex_);

  const std::size_t max_;
  Mutex mutex_;
  std::unordered_map<std::string, std::size_t> counts_ GUARDED_BY(mutex_);
};

class AddressLimiter::Ticket {
 public:
  Ticket(std::shared_ptr<AddressLimiter> limiter, std::string address)
      : limiter_(std::move(limiter)), address_(std::move(address)) {}
  ~Ticket() { limiter_->release(address_); }
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;

 private:
  const std::shared_ptr<AddressLimiter> limiter_;
  const std::string address_;
};

}  // namespace sse::net
