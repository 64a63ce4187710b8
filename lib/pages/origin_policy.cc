#include "pages/origin_policy.h"

#include <algorithm>

#include "base/text.h"
#include "net/peer_address.h"

namespace sse::pages {
namespace {

// What a page of another origin needs to know of a refusal, and which node it talks to.
constexpr const char* kExposed = "WWW-Authenticate, Retry-After, X-Sse-Server-Id";

// In lower case, without the port and without the final dot of a fully qualified name.
std::string host_name_of(std::string_view host) {
  if (host.starts_with('[')) return std::string(host.substr(0, std::min(host.find(']'), host.size() - 1) + 1));
  host = host.substr(0, host.find(':'));
  if (host.ends_with('.')) host.remove_suffix(1);
  return to_lower(host);
}

bool is_address(const std::string& host) {
  if (host.starts_with('[')) return host.size() > 2 && !net::node_address(host).empty();
  return !net::normalized_address(host).empty();
}

}  // namespace

OriginPolicy::OriginPolicy(std::vector<std::string> cors_origins, const std::vector<std::string>& allowed_hosts,
                           bool check_hosts)
    : cors_origins_(std::move(cors_origins)), check_hosts_(check_hosts) {
  for (const std::string& host : allowed_hosts) {
    any_host_ = any_host_ || host == "*";
    // IP addresses are always allowed.
    if (net::normalized_address(host).empty()) hosts_.push_back(host_name_of(host));
  }
  for (const std::string& origin : cors_origins_) {
    const std::size_t scheme = origin.find("://");
    if (scheme != std::string::npos) hosts_.push_back(host_name_of(std::string_view(origin).substr(scheme + 3)));
  }
}

bool OriginPolicy::lists(std::string_view origin) const {
  return std::ranges::find(cors_origins_, origin) != cors_origins_.end();
}

std::vector<std::pair<std::string, std::string>> OriginPolicy::headers_for(const std::string& origin) const {
  if (cors_origins_.empty() || origin.empty()) return {};
  if (lists(origin)) {
    return {{"Access-Control-Allow-Origin", origin},
            {"Access-Control-Allow-Credentials", "true"},
            {"Access-Control-Expose-Headers", kExposed},
            {"Vary", "Origin"}};
  }
  // Fetch §3.2.3: no credentials with a wildcard.
  if (lists("*")) return {{"Access-Control-Allow-Origin", "*"}, {"Access-Control-Expose-Headers", kExposed}};
  return {};
}

bool OriginPolicy::admits(const FetchMetadata& fetch, Access access) const {
  // `none`: the user typed the address in.
  if (fetch.site.empty() || fetch.site == "same-origin" || fetch.site == "none") return true;
  if (fetch.origin.empty() || (!lists(fetch.origin) && !lists("*"))) return false;
  if (access == Access::kWrite) return true;
  return fetch.mode == "cors" && (fetch.destination.empty() || fetch.destination == "empty");
}

bool OriginPolicy::allows_host(std::string_view host) const {
  if (!check_hosts_ || any_host_ || host.empty()) return true;
  const std::string name = host_name_of(host);
  return is_address(name) || name == "localhost" || name.ends_with(".localhost") ||
         std::ranges::find(hosts_, name) != hosts_.end();
}

std::string unknown_host(std::string_view host) {
  return "the Host '" + printable(host, 80) +
         "' is not allowed, because it may belong to a foreign page; add it with --allowed-host, or use an IP address "
         "or localhost";
}

}  // namespace sse::pages
