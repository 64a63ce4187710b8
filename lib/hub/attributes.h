#pragma once

#include <map>
#include <string>
#include <string_view>

namespace sse::hub {

/// What is known of a client beside its identity: what it sent and where from. Kept by a connection as one string,
/// because tens of thousands are held and few are ever looked at.
struct Attributes {
  std::string query;    ///< form-encoded parameters, as sent
  std::string address;  ///< the client's, or as a trusted proxy tells it
  std::string user_agent;
  std::string host;
  std::string origin;
  std::string profile;  ///< JSON text of what the authentication knows of the user; empty: nothing

  /// One string; unpack() restores it.
  std::string pack() const;
  static Attributes unpack(std::string_view packed);
};

/// What is behind the first '?' of a request's target; a part of `target`.
constexpr std::string_view query_of(std::string_view target) {
  const std::size_t mark = target.find('?');
  return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

/// The first value of a parameter in a form-encoded string, decoded; empty when absent.
std::string form_value(std::string_view query, std::string_view name);

/// All parameters decoded; of doubled ones the first.
std::map<std::string, std::string> form_values(std::string_view query);

}  // namespace sse::hub
