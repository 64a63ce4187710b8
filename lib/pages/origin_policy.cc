#include "pages/origin_policy.h"

#include <algorithm>

namespace sse::pages {
namespace {

// What a page of another origin needs to know of a refusal, and which node it talks to.
constexpr const char* kExposed = "WWW-Authenticate, Retry-After, X-Sse-Server-Id";

// Pages of these origins may address the server by their own host, as behind a proxy that serves both.
std::vector<std::string> hosts_of(const std::vector<std::string>& origins, std::vector<std::string> hosts) {
  for (const std::string& origin : origins) {
    const std::size_t scheme = origin.find("://");
    if (scheme != std::string::npos) hosts.push_back(origin.substr(scheme + 3));
  }
  return hosts;
}

}  // namespace

OriginPolicy::OriginPolicy(std::vector<std::string> cors_origins, const std::vector<std::string>& allowed_hosts,
                           bool check_hosts)
    : cors_origins_(std::move(cors_origins)),
      check_hosts_(check_hosts),
      hosts_(hosts_of(cors_origins_, allowed_hosts)) {}

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

}  // namespace sse::pages
