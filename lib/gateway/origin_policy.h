#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sse::gateway {

/// What a request's headers tell of the page that made it (Fetch Metadata, https://www.w3.org/TR/fetch-metadata/).
/// Empty where the browser, or a program that is none, does not say.
struct FetchMetadata {
  std::string origin;
  std::string site;         ///< Sec-Fetch-Site
  std::string mode;         ///< Sec-Fetch-Mode
  std::string destination;  ///< Sec-Fetch-Dest
};

/// Which pages may use the services: those of the same origin and of `--cors-origin`. Immutable, thread safe.
class OriginPolicy {
 public:
  /// `cors_origins`: `*` or origins. `check_hosts`: names that are neither those of this machine, nor hosts of
  /// `cors_origins`, nor among `allowed_hosts` (`*` for all) are refused in Host.
  OriginPolicy(std::vector<std::string> cors_origins, const std::vector<std::string>& allowed_hosts, bool check_hosts);

  /// Headers that let a page of that origin read the answer (Fetch §3.2).
  std::vector<std::pair<std::string, std::string>> headers_for(const std::string& origin) const;

  enum class Use : unsigned char { kRead, kWrite };
  /// False for a request that a page of another origin made its reader's browser send: an image, a form, a link, or a
  /// call whose answer it could not read. A stream opened that way would use up messages and push others out. kRead:
  /// its answer is of use only to a page that may read it. kWrite: a beacon, which reads nothing, is as good.
  bool admits(const FetchMetadata& fetch, Use use) const;

  /// False for a Host that a page must not reach this server by. With DNS rebinding a page of `evil.example`, a name
  /// that its owner lets point to this machine, is of the same origin as we are; its Host tells. An IP address, and
  /// `localhost`, cannot be rebound. `host`: the header's value, port included; empty: not a browser.
  bool knows_host(std::string_view host) const;

 private:
  bool lists(std::string_view origin) const;

  const std::vector<std::string> cors_origins_;
  const bool check_hosts_;
  bool any_host_ = false;
  std::vector<std::string> hosts_;  // lower case
};

}  // namespace sse::gateway
