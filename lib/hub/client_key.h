#pragma once

#include <string>

namespace sse::hub {

/// What makes streams those of one client: HubOptions::client_max_connections counts by it.
struct ClientKey {
  std::string user;
  std::string client;  ///< clientId
  std::string origin;
  std::string tenant;
};

}  // namespace sse::hub
