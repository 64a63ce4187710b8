#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sse::cluster {

/// The address of a Redis server and the credentials for it.
struct RedisAddress {
  std::string host;
  std::uint16_t port = 6379;
  unsigned database = 0;
  std::string user;      ///< empty: Redis' default user
  std::string password;  ///< secret; empty: none is sent

  /// `redis://host:port/db`, without user and password, for logs.
  std::string str() const;
};

/// Parses `redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]`, with `[::1]` for IPv6 and percent-encoded user and password.
/// Throws Error(kInvalidArgument) that describes the mistake and never quotes the text, because it may contain a
/// password.
RedisAddress parse_redis_address(std::string_view text);

}  // namespace sse::cluster
