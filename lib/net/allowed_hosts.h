#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sse::net {

/// The names under which browsers may address a listener. With DNS rebinding `evil.example` resolves to this machine,
/// so that its pages have the same origin as this server; only the Host header shows that. IP addresses and `localhost`
/// cannot be rebound and are always allowed. Immutable, thread safe.
class AllowedHosts {
 public:
  /// `names`: further hosts, with or without a port; `*` allows all.
  explicit AllowedHosts(const std::vector<std::string>& names = {});

  /// `host`: the value of the header, port included; empty: not a browser, and allowed.
  bool allows(std::string_view host) const;

 private:
  bool any_ = false;
  std::vector<std::string> names_;  // lower case
};

/// The sentence that refuses a Host for which AllowedHosts::allows() is false.
std::string unknown_host(std::string_view host);

}  // namespace sse::net
