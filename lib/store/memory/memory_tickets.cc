#include "store/memory/memory_tickets.h"

#include <utility>

#include "base/error.h"
#include "base/step_count.h"

namespace sse::store {
namespace {

// The nodes of both containers, and the digest, which is in both.
constexpr std::uint64_t kTicketOverhead = 384;

std::uint64_t bytes_of(const std::string& value) {
  return value.size() + kTicketOverhead;
}

}  // namespace

void MemoryTickets::add(const TicketKey& key, std::string value, std::chrono::milliseconds lifetime) {
  const MutexLock lock(mutex_);
  expire();
  const std::uint64_t bytes = bytes_of(value);
  if (tickets_.size() >= limits_.count || bytes > limits_.bytes.count() - bytes_) {
    throw Error(ErrorCode::kLimitExceeded, "this server has issued " + std::to_string(tickets_.size()) +
                                               " tickets that are neither redeemed nor expired, and holds no more "
                                               "(--max-tickets); try again when some have expired");
  }
  const auto [ticket, fresh] = tickets_.try_emplace(key.digest);
  if (!fresh) throw Error(ErrorCode::kConflict, "a ticket with this digest exists already");
  ticket->second = {std::move(value), expiries_.emplace(clock_.steady_now() + lifetime, key.digest)};
  bytes_ += bytes;
}

std::optional<std::string> MemoryTickets::find(const TicketKey& key) {
  const MutexLock lock(mutex_);
  expire();
  const auto ticket = tickets_.find(key.digest);
  if (ticket == tickets_.end()) return std::nullopt;
  return ticket->second.value;
}

std::optional<std::string> MemoryTickets::take(const TicketKey& key) {
  const MutexLock lock(mutex_);
  expire();
  const auto ticket = tickets_.find(key.digest);
  if (ticket == tickets_.end()) return std::nullopt;
  std::string value = std::move(ticket->second.value);
  bytes_ -= bytes_of(value);
  expiries_.erase(ticket->second.expiry);
  tickets_.erase(ticket);
  return value;
}

std::size_t MemoryTickets::size() {
  const MutexLock lock(mutex_);
  expire();
  return tickets_.size();
}

void MemoryTickets::expire() {
  const SteadyTime now = clock_.steady_now();
  while (!expiries_.empty() && expiries_.begin()->first <= now) {
    count_steps();
    const auto ticket = tickets_.find(expiries_.begin()->second);
    bytes_ -= bytes_of(ticket->second.value);
    tickets_.erase(ticket);
    expiries_.erase(expiries_.begin());
  }
}

}  // namespace sse::store
