#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sse::cluster {

/// Which of Nacos' HTTP interfaces to speak: v1 (Nacos 1 and 2), v2 (from 2.2) or the client interface v3 (from 3.0).
enum class NacosApi : unsigned char { kDetect, kV1, kV2, kV3 };

/// Where Nacos is, how to log in there, and under what name the nodes of a cluster find each other.
struct NacosAddress {
  std::vector<std::pair<std::string, std::uint16_t>> servers;  ///< one is enough; others are tried when it fails
  std::string user;                                            ///< empty: no login
  std::string password;                                        ///< a secret
  std::string space = "public";                                ///< id of the namespace
  std::string group = "DEFAULT_GROUP";
  std::string service = "sse-server";
  NacosApi api = NacosApi::kDetect;

  /// Fit for logs, without user and password.
  std::string str() const;
};

/// Reads `nacos://[USER:PASSWORD@]HOST:PORT[,HOST:PORT…][/NAMESPACE[/GROUP[/SERVICE]]][?api=v1|v2|v3]`; the port is
/// 8848 where it is left out. User, password and names may be percent-encoded. Throws Error(kInvalidArgument) that says
/// what is wrong and never repeats the text: it may hold a password.
NacosAddress parse_nacos_address(std::string_view text);

}  // namespace sse::cluster
