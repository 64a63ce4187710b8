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
  std::string cluster = "DEFAULT";  ///< of the instances within the service
  std::string context = "/nacos";   ///< the path before those of the API; empty: none
  bool tls = false;                 ///< https
  NacosApi api = NacosApi::kDetect;

  /// Without user and password, for logs.
  std::string str() const;
};

/// Whether an address of --discovery is one of Nacos.
bool is_nacos_address(std::string_view text);

/// Parses `nacos://[USER:PASSWORD@]HOST:PORT[,HOST:PORT…][/NAMESPACE[/GROUP[/SERVICE]]][?NAME=VALUE[&…]]`, or
/// `nacos+https://…`; the port defaults to 8848. NAME=VALUE: `api=v1|v2|v3`, `cluster=NAME`, `context=/PATH`. User,
/// password, names and values may be percent-encoded. Throws Error(kInvalidArgument) that describes the mistake and
/// never quotes the text, because it may contain a password.
NacosAddress parse_nacos_address(std::string_view text);

}  // namespace sse::cluster
