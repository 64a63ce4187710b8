#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cluster/redis/redis_link.h"

namespace sse::cluster {

/// A Lua script for Redis, called by its SHA-1 digest, so that its text is sent only if Redis does not have it in its
/// script cache (which a restart clears). Thread safe.
class RedisScript {
 public:
  explicit RedisScript(std::string text);

  /// Runs it and waits. Throws Error as error_in().
  RedisReply run(RedisLink& link, const std::vector<std::string>& keys,
                 const std::vector<std::string>& arguments) const;
  /// Runs it asynchronously; `done`, which may be null, receives the reply or the error as in RedisLink::call(). The
  /// script and the link must outlive that.
  void run_async(RedisLink& link, std::vector<std::string> keys, std::vector<std::string> arguments,
                 RedisLink::Done done) const;

 private:
  RedisCommand command(bool by_digest, const std::vector<std::string>& keys,
                       const std::vector<std::string>& arguments) const;

  const std::string text_;
  const std::string digest_;
};

}  // namespace sse::cluster
