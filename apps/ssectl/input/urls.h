#pragma once

#include <string>
#include <string_view>

namespace sse::ctl {

/// An http or https URL in parts.
struct Url {
  std::string origin;  ///< `http://HOST:PORT`
  std::string path;    ///< begins with '/', or empty
  std::string query;   ///< without the '?'

  std::string target() const { return (path.empty() ? "/" : path) + (query.empty() ? "" : "?" + query); }
  std::string text() const { return origin + path + (query.empty() ? "" : "?" + query); }
};

/// Parses the value of an option. A fragment is dropped. Throws Error(kInvalidArgument) that names the option unless
/// the text begins with http:// or https://.
Url parse_url(std::string_view option, std::string_view text);

/// The URL that a Location header means (RFC 9110 10.2.2, RFC 3986 5.2): an URL, or a path of the same origin; a
/// relative path is taken from the folder of `base`.
Url resolve_location(const Url& base, std::string_view location);

}  // namespace sse::ctl
