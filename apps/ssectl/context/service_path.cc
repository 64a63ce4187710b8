#include "ssectl/context/service_path.h"

#include "ssectl/terminal/cells.h"

namespace sse::ctl {

std::optional<std::string> service_path(const api::Json& status, const ServiceName& service) {
  for (const api::Json& one : status.value("services", api::Json::array())) {
    if (service.empty() || text_cell(one, "name") == service.str()) return text_cell(one, "path");
  }
  return std::nullopt;
}

}  // namespace sse::ctl
