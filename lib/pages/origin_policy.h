#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/allowed_hosts.h"

namespace sse::pages {

/// The request headers that describe the page that made the request (Fetch Metadata,
/// https://www.w3.org/TR/fetch-metadata/). Empty if the client does not send them.
struct FetchMetadata {
  std::string origin;
  std::string site;         ///< Sec-Fetch-Site
  std::string mode;         ///< Sec-Fetch-Mode
  std::string destination;  ///< Sec-Fetch-Dest
};

/// Decides which pages may use the services: those of the same origin and of `--cors-origin`. Immutable, thread safe.
class OriginPolicy {
 public:
  /// `cors_origins`: `*` or origins. `check_hosts`: refuse a Host that is neither an IP address or `localhost`, nor a
  /// host of `cors_origins`, nor one of `allowed_hosts` (`*` for all).
  OriginPolicy(std::vector<std::string> cors_origins, const std::vector<std::string>& allowed_hosts, bool check_hosts);

  /// Headers that allow a page of that origin to read the response (Fetch §3.2).
  std::vector<std::pair<std::string, std::string>> headers_for(const std::string& origin) const;

  enum class Access : unsigned char { kRead, kWrite };
  /// False for a request forged by a page of another origin (CSRF): an image, a form, a link, or a fetch whose response
  /// the page could not read. A stream opened that way would consume messages and displace other streams. kRead: only
  /// for pages that may read the response. kWrite: also for beacons, which read no response.
  bool admits(const FetchMetadata& fetch, Access access) const;

  /// False for a Host that is not a name of this server: see net::AllowedHosts.
  bool allows_host(std::string_view host) const { return !check_hosts_ || hosts_.allows(host); }

 private:
  bool lists(std::string_view origin) const;

  const std::vector<std::string> cors_origins_;
  const bool check_hosts_;
  const net::AllowedHosts hosts_;
};

}  // namespace sse::pages
