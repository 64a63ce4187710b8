#pragma once

#include <optional>
#include <string>

#include "api/types.h"
#include "base/ids.h"

namespace sse::ctl {

/// The path of a service in the `status` of a server, such as `/my-sse`: of the first service if `service` is empty.
/// nullopt if the server does not host it.
std::optional<std::string> service_path(const api::Json& status, const ServiceName& service);

}  // namespace sse::ctl
