#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/mutex.h"
#include "store/ticket_store.h"

namespace sse::store {

/// The tickets of one node, in its memory. Ignores the node of a key.
class MemoryTickets final : public TicketStore {
 public:
  /// `clock` must outlive this.
  MemoryTickets(TicketLimits limits, const Clock& clock) : limits_(limits), clock_(clock) {}

  void add(const TicketKey& key, std::string value, std::chrono::milliseconds lifetime) override EXCLUDES(mutex_);
  std::optional<std::string> find(const TicketKey& key) override EXCLUDES(mutex_);
  std::optional<std::string> take(const TicketKey& key) override EXCLUDES(mutex_);
  std::size_t size() override EXCLUDES(mutex_);

 private:
  using Expiries = std::multimap<SteadyTime, std::string>;  // to digests
  struct Ticket {
    std::string value;
    Expiries::iterator expiry;
  };

  void expire() REQUIRES(mutex_);

  const TicketLimits limits_;
  const Clock& clock_;

  Mutex mutex_;
  std::unordered_map<std::string, Ticket> tickets_ GUARDED_BY(mutex_);  // by digest
  Expiries expiries_ GUARDED_BY(mutex_);
  std::uint64_t bytes_ GUARDED_BY(mutex_) = 0;
};

}  // namespace sse::store
