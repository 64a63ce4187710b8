#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "cluster/discovery.h"
#include "cluster/redis_link.h"

namespace sse::cluster {

/// Nodes as Redis keys with a time to live. Numbers are leased for longer than that, so that a node which comes back
/// has the one it had. Where a node's own entry is in the way because it was killed, join() waits until that expires.
class RedisDiscovery final : public Discovery {
 public:
  struct Options {
    std::string prefix = "sse:";
    std::chrono::milliseconds ttl{6000};
    std::chrono::milliseconds number_lease = std::chrono::hours(1);
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
  std::string id_;
  unsigned number_ = 0;
};

/// Evaluates a Lua script, by its digest where Redis knows it already. Throws Error(kUnavailable) without an answer and
/// Error(kIo) with Redis' words when the script failed.
RedisReply evaluate(RedisLink& link, const char* script, const std::vector<std::string>& keys,
                    const std::vector<std::string>& arguments);

}  // namespace sse::cluster
