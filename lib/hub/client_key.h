#pragma once

#include <string>
#include <string_view>
#include <tuple>

namespace sse::hub {

/// Identifies a client: streams with equal keys belong to one client. HubOptions::client_max_connections limits the
/// streams of a key.
struct ClientKey {
  std::string user;
  std::string client;  ///< clientId
  std::string origin;
  std::string tenant;
};

/// Compares tuples of three strings or string views, so that a lookup makes no copy.
struct TextTupleLess {
  using is_transparent = void;
  using Views = std::tuple<std::string_view, std::string_view, std::string_view>;

  bool operator()(const Views& a, const Views& b) const { return a < b; }
};

}  // namespace sse::hub
