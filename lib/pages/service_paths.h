#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sse::pages {

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

 private:
  const std::vector<std::string> paths_;
};

}  // namespace sse::pages
