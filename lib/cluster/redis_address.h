#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sse::cluster {

/// Where a Redis server is and how to log in there.
struct RedisAddress {
  std::string host;
  std::uint16_t port = 6379;
  unsigned database = 0;
  std::string user;      ///< empty: Redis' default user
  std::string password;  ///< a secret; empty: none is sent

  /// `redis://host:port/db`: fit for logs, without user and password.
  std::string str() const;
};

/// Reads `redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]`, with `[::1]` for IPv6 and percent-encoded user and password.
/// Throws Error(kInvalidArgument) that says what is wrong and never repeats the text: it may hold a password.
RedisAddress parse_redis_address(std::string_view text);

}  // namespace sse::cluster
