#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sse::cluster {

/// The address of a Redis server and the credentials for it.
struct RedisAddress {
  std::string host;  ///< empty with `path` or `sentinels`
  std::uint16_t port = 6379;
  std::string path{};  ///< of a unix socket
  /// Host and port of each sentinel, which know the primary of `primary`; any of them suffices.
  std::vector<std::pair<std::string, std::uint16_t>> sentinels{};
  std::string primary{};  ///< name of the primary in the sentinels
  bool tls = false;
  unsigned database = 0;
  std::string user{};      ///< empty: Redis' default user
  std::string password{};  ///< secret; empty: none is sent

  /// In the form of parse_redis_address(), without user and password, for logs.
  std::string str() const;
};

/// Parses one of
///
///     redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]                              rediss:// with TLS
///     unix://[[USER]:PASSWORD@]/PATH[?db=DB]
///     redis-sentinel://[[USER]:PASSWORD@]HOST[:PORT][,HOST…]/NAME[/DB]        rediss-sentinel:// with TLS
///
/// with `[::1]` for IPv6 and percent-encoded user and password; the port of a sentinel defaults to 26379. Throws
/// Error(kInvalidArgument) that describes the mistake and never quotes the text, because it may contain a password.
RedisAddress parse_redis_address(std::string_view text);

}  // namespace sse::cluster
