#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "cluster/discovery.h"
#include "cluster/redis_link.h"
#include "cluster/redis_script.h"

namespace sse::cluster {

/// Nodes as Redis keys with a time to live. Numbers are leased for longer than that, so that a node which comes back
/// has the one it had. Where a node's own entry is in the way because it was killed, join() waits until that expires.
class RedisDiscovery final : public Discovery {
 public:
  struct Options {
    std::string prefix = "sse:";
    std::chrono::milliseconds ttl{6000};
    std::chrono::milliseconds number_lease = std::chrono::hours(1);
    const Clock* clock = &Clock::system();  ///< outlives this
  };

  /// `link` outlives this.
  RedisDiscovery(RedisLink& link, Options options);

  unsigned join(const std::string& id, const event::Json& facts) override;
  void refresh(const event::Json& facts) override;
  void leave() noexcept override;
  std::vector<Node> nodes() override;

 private:
  struct Verdict {
    std::string word;
    std::int64_t value = 0;  // the number; of an entry in the way, how long it lives still
  };
  Verdict enter(const event::Json& facts, int number);
  [[noreturn]] void refuse(const Verdict& verdict) const;

  RedisLink& link_;
  const Options options_;
  const std::string nonce_;  // tells this process from another with the same id
  const RedisScript enter_script_, leave_script_, nodes_script_;
  std::string id_;
  unsigned number_ = 0;
};

}  // namespace sse::cluster
