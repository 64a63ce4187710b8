#include "ssectl/input/urls.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace sse::ctl {
namespace {

bool is_web_url(std::string_view text) {
  return text.starts_with("http://") || text.starts_with("https://");
}

void set_target(Url& url, std::string_view target) {
  const std::size_t mark = std::min(target.find('?'), target.size());
  url.path = target.substr(0, mark);
  url.query = target.substr(std::min(mark + 1, target.size()));
}

}  // namespace

Url parse_url(std::string_view option, std::string_view text) {
  if (!is_web_url(text)) {
    throw Error(ErrorCode::kInvalidArgument,
                std::string(option) + " '" + printable(text, 80) + "' must begin with http:// or https://");
  }
  text = text.substr(0, text.find('#'));
  const std::size_t host = text.find("://") + 3;
  const std::size_t end = std::min(text.find_first_of("/?", host), text.size());
  Url url;
  url.origin = text.substr(0, end);
  set_target(url, text.substr(end));
  return url;
}

Url resolve_location(const Url& base, std::string_view location) {
  if (is_web_url(location)) return parse_url("Location", location);
  location = location.substr(0, location.find('#'));
  if (location.starts_with("//"))
    return parse_url("Location", base.origin.substr(0, base.origin.find("//")) + std::string(location));
  Url url{base.origin, {}, {}};
  const std::string folder = base.path.substr(0, base.path.rfind('/') + 1);
  set_target(
      url, location.starts_with("/") ? std::string(location) : (folder.empty() ? "/" : folder) + std::string(location));
  return url;
}

}  // namespace sse::ctl
