#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sse::cluster {

/// The generation of Nacos' HTTP API: v1 (Nacos 1 and 2), v2 (from 2.2) or the client API v3 (from 3.0).
enum class NacosApi : unsigned char { kDetect, kV1, kV2, kV3 };

/// The address of Nacos, the credentials for it, and the service name under which the nodes of a cluster find each
/// other.
struct NacosAddress {
  std::vector<std::pair<std::string, std::uint16_t>> servers;  ///< one suffices; the others are tried when it fails
  std::string user;                                            ///< empty: no login
  std::string password;                                        ///< secret
  std::string space = "public";                                ///< id of the namespace
  std::string group = "DEFAULT_GROUP";
  std::string service = "sse-server";
  NacosApi api = NacosApi::kDetect;

  /// Without user and password, for logs.
  std::string str() const;
};

/// Parses `nacos://[USER:PASSWORD@]HOST:PORT[,HOST:PORT…][/NAMESPACE[/GROUP[/SERVICE]]][?api=v1|v2|v3]`; the port
/// defaults to 8848. User, password and names may be percent-encoded. Throws Error(kInvalidArgument) that describes the
/// mistake and never quotes the text, because it may contain a password.
NacosAddress parse_nacos_address(std::string_view text);

}  // namespace sse::cluster
