#include "net/allowed_hosts.h"

#include <algorithm>

#include "base/text.h"
#include "net/peer_address.h"

namespace sse::net {
namespace {

// In lower case, without the port and without the final dot of a fully qualified name.
std::string host_name_of(std::string_view host) {
  if (host.starts_with('[')) return std::string(host.substr(0, std::min(host.find(']'), host.size() - 1) + 1));
  host = host.substr(0, host.find(':'));
  if (host.ends_with('.')) host.remove_suffix(1);
  return to_lower(host);
}

bool is_address(const std::string& host) {
  if (host.starts_with('[')) return host.size() > 2 && !node_address(host).empty();
  return !normalized_address(host).empty();
}

}  // namespace

AllowedHosts::AllowedHosts(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    any_ = any_ || name == "*";
    // IP addresses are always allowed.
    if (normalized_address(name).empty()) names_.push_back(host_name_of(name));
  }
}

bool AllowedHosts::allows(std::string_view host) const {
  if (any_ || host.empty()) return true;
  const std::string name = host_name_of(host);
  return is_address(name) || name == "localhost" || name.ends_with(".localhost") ||
         std::ranges::find(names_, name) != names_.end();
}

std::string unknown_host(std::string_view host) {
  return "the Host '" + printable(host, 80) +
         "' is not allowed, because it may belong to a foreign page; add it with --allowed-host, or use an IP address "
         "or localhost";
}

}  // namespace sse::net
