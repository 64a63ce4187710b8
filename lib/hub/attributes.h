#pragma once

#include <map>
#include <string>
#include <string_view>

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

/// The query component of a request target (after the first '?'), a view into `target`.
constexpr std::string_view query_of(std::string_view target) {
  const std::size_t mark = target.find('?');
  return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

/// The first value of a parameter in a form-encoded string, decoded; empty when absent.
std::string form_value(std::string_view query, std::string_view name);

/// All parameters, decoded; of a repeated parameter the first value.
std::map<std::string, std::string> form_values(std::string_view query);

}  // namespace sse::hub
