#pragma once

#include <string>
#include <string_view>

#include "base/url.h"  // reads Attributes::query

namespace sse::hub {

/// Request data of a client besides its identity: query, address and headers. A connection stores it as one packed
/// string, because a server holds tens of thousands of connections and few are ever inspected.
struct Attributes {
  std::string query;    ///< form-encoded parameters, as sent
  std::string address;  ///< the client's, or the one a trusted proxy forwards
  std::string user_agent;
  std::string host;
  std::string origin;
  std::string profile;  ///< JSON text from the authenticator about the user; empty: unknown

  /// Packs all fields into one string; unpack() restores them.
  std::string pack() const;
  static Attributes unpack(std::string_view packed);
};

}  // namespace sse::hub
