#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cluster/redis_link.h"

namespace sse::cluster {

/// A Lua script for Redis, called by its SHA-1 digest, so that its text goes out only where Redis does not know it
/// (yet, or any more: a restart forgets all). Thread safe.
class RedisScript {
 public:
  explicit RedisScript(std::string text);

  /// Runs it and waits. Throws Error as error_in().
  RedisReply run(RedisLink& link, const std::vector<std::string>& keys,
                 const std::vector<std::string>& arguments) const;
  /// Runs it; `done`, which may be null, gets the answer or the error as of RedisLink::call(). Script and link outlive
  /// that.
  void run_soon(RedisLink& link, std::vector<std::string> keys, std::vector<std::string> arguments,
                RedisLink::Done done) const;

 private:
  RedisCommand command(bool by_digest, const std::vector<std::string>& keys,
                       const std::vector<std::string>& arguments) const;

  const std::string text_;
  const std::string digest_;
};

}  // namespace sse::cluster
