#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "cluster/redis/redis_link.h"
#include "cluster/redis/redis_script.h"
#include "store/memory/memory_tickets.h"
#include "store/ticket_store.h"

namespace sse::cluster {

/// Tickets in Redis, shared by all nodes of a cluster: they outlive the node that issued them. A node limits those that
/// it issues, and knows of a ticket redeemed by another node only when its lifetime has ended.
class RedisTickets final : public store::TicketStore {
 public:
  struct Options {
    RedisLinkOptions link;
    std::string prefix = "sse:";  ///< of all keys
    store::TicketLimits limits;   ///< of this node
  };

  /// Connects in the background: without Redis the functions throw.
  explicit RedisTickets(Options options);
  /// Waits for the connection. Throws Error as RedisLink::require_up().
  void require_up(std::chrono::milliseconds timeout) { link_.require_up(timeout); }

  void add(const store::TicketKey& key, std::string value, std::chrono::milliseconds lifetime) override;
  std::optional<std::string> find(const store::TicketKey& key) override;
  std::optional<std::string> take(const store::TicketKey& key) override;
  std::size_t size() override { return issued_.size(); }

 private:
  std::string name_of(const store::TicketKey& key) const;

  const std::string prefix_;
  const RedisScript take_;
  store::MemoryTickets issued_;  // by this node
  RedisLink link_;
};

}  // namespace sse::cluster
