#pragma once

#include <string>
#include <string_view>
#include <tuple>

namespace sse::hub {

/// What makes streams those of one client: HubOptions::client_max_connections counts by it.
struct ClientKey {
  std::string user;
  std::string client;  ///< clientId
  std::string origin;
  std::string tenant;
};

/// Orders keys of three texts, of which either may be views: no copy is made to look one up.
struct TextsLess {
  using is_transparent = void;
  using Views = std::tuple<std::string_view, std::string_view, std::string_view>;

  bool operator()(const Views& a, const Views& b) const { return a < b; }
};

}  // namespace sse::hub
