#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sse::pages {

/// What the answer to a path with a slash at its end says.
inline constexpr const char* kWithoutSlash = "this address has no slash at its end";

/// The paths of the services, to tell requests for streams and connections from those for files. Immutable.
class ServicePaths {
 public:
  explicit ServicePaths(std::vector<std::string> paths) : paths_(std::move(paths)) {}

  /// The part of a target after the path of its service, such as `/connect/ack.do`, without the query; nullopt for
  /// targets that do not begin with `P/connect` of a service. A view into `target`.
  std::optional<std::string_view> path_in_service(std::string_view target) const {
    const std::string_view path = target.substr(0, target.find('?'));
    for (const std::string& service : paths_) {
      if (path.starts_with(service) && path.substr(service.size()).starts_with("/connect"))
        return path.substr(service.size());
    }
    return std::nullopt;
  }

  /// For a path of a service that ends with a slash, which the Java library ignores: the same without it, as a relative
  /// reference (RFC 3986 §4.2), which holds behind a proxy that changes the path, too. nullopt for other targets.
  std::optional<std::string> without_slash(std::string_view target) const {
    const std::string_view path = target.substr(0, target.find('?'));
    if (!path.ends_with('/')) return std::nullopt;
    const std::string_view rest = path.substr(0, path.size() - 1);
    const auto is_in = [&](const std::string& service) {
      return !service.empty() && rest.starts_with(service) &&
             (rest.size() == service.size() || rest.substr(service.size()) == "/sse.js" ||
              rest.substr(service.size()).starts_with("/connect"));
    };
    const std::size_t last = rest.rfind('/');
    if (last == std::string_view::npos || last + 1 == rest.size() || std::ranges::none_of(paths_, is_in))
      return std::nullopt;
    return "../" + std::string(rest.substr(last + 1)) + std::string(target.substr(path.size()));
  }

 private:
  const std::vector<std::string> paths_;
};

}  // namespace sse::pages
