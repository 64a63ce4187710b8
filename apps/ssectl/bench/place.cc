#include "ssectl/bench/place.h"

#include <algorithm>

#include "api/address.h"
#include "base/error.h"
#include "base/text.h"

namespace sse::ctl::bench {

std::string Place::authority() const {
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + std::to_string(port);
}

Place parse_place(const std::string& url, std::string_view admin) {
  constexpr std::string_view kScheme = "http://";
  if (url.starts_with("https://")) {
    throw Error(ErrorCode::kInvalidArgument, "bench supports plain HTTP only, but " + printable(url, 80) +
                                                 " uses TLS; measure a server started without --tls-cert");
  }
  const std::size_t slash = url.starts_with(kScheme) ? url.find('/', kScheme.size()) : std::string::npos;
  Place place;
  if (slash != std::string::npos) {
    place.path = url.substr(slash);
    while (place.path.ends_with('/')) place.path.pop_back();
  }
  if (place.path.empty() || place.path.find_first_of(" ?#\r\n") != std::string::npos) {
    throw Error(ErrorCode::kInvalidArgument,
                "'" + printable(url, 80) + "' is not a service URL; write --url http://127.0.0.1:8080/my-sse");
  }
  const api::Address address = api::parse_address(url.substr(0, slash));
  place.host = address.host;
  place.port = address.port;
  if (place.host == "0.0.0.0" || place.host == "::") {
    place.host = admin.starts_with(kScheme) ? api::parse_address(admin).host : "127.0.0.1";
  }
  return place;
}

}  // namespace sse::ctl::bench
