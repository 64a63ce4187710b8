#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "cluster/core/discovery.h"
#include "cluster/redis/redis_link.h"
#include "cluster/redis/redis_script.h"

namespace sse::cluster {

/// Registers nodes as Redis keys with a time to live. Numbers are leased for longer, so that a node that restarts gets
/// its previous number. If the node was killed and its old entry still exists, join() waits until that expires.
class RedisDiscovery final : public Discovery {
 public:
  struct Options {
    std::string prefix = "sse:";
    std::chrono::milliseconds ttl{6000};
    std::chrono::milliseconds number_lease = std::chrono::hours(1);
    const Clock* clock = &Clock::system();  ///< must outlive this
  };

  /// `link` must outlive this.
  RedisDiscovery(RedisLink& link, Options options);

  unsigned join(const std::string& id, const event::Json& facts) override;
  void refresh(const event::Json& facts) override;
  void leave() noexcept override;
  std::vector<Node> nodes() override;

 private:
  struct EntryResult {
    std::string status;
    std::int64_t value = 0;  // the number; if the id is taken, the remaining time to live of the existing entry
  };
  EntryResult enter(const event::Json& facts, int number);
  [[noreturn]] void refuse(const EntryResult& result) const;

  RedisLink& link_;
  const Options options_;
  const std::string nonce_;  // distinguishes this process from another with the same id
  const RedisScript enter_script_, leave_script_, nodes_script_;
  std::string id_;
  unsigned number_ = 0;
};

}  // namespace sse::cluster
