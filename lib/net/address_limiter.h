#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/mutex.h"

namespace sse::net {

/// Counts connections per client, streams included, against `--max-connections-per-ip`: by IPv4 address, by /64 network
/// of IPv6 (see counted_address()). Thread safe.
class AddressLimiter : public std::enable_shared_from_this<AddressLimiter> {
 public:
  /// Held by whoever owns the connection; destroying it gives the place back.
  class Ticket;

  /// `most` 0: no limit, and no tickets.
  explicit AddressLimiter(std::size_t most) : most_(most) {}
  /// False when `address` is at its limit. `ticket` stays null where there is no limit.
  bool admit(const std::string& address, std::unique_ptr<Ticket>& ticket) EXCLUDES(mutex_);

 private:
  void leave(const std::string& address) EXCLUDES(mutex_);

  const std::size_t most_;
  Mutex mutex_;
  std::unordered_map<std::string, std::size_t> counts_ GUARDED_BY(mutex_);
};

class AddressLimiter::Ticket {
 public:
  Ticket(std::shared_ptr<AddressLimiter> limiter, std::string address)
      : limiter_(std::move(limiter)), address_(std::move(address)) {}
  ~Ticket() { limiter_->leave(address_); }
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;

 private:
  const std::shared_ptr<AddressLimiter> limiter_;
  const std::string address_;
};

}  // namespace sse::net
