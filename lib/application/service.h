#pragma once

#include <memory>
#include <string>
#include <vector>

#include "delivery/sender.h"

namespace sse::application {

/// A hosted service: its path and its sender.
struct Service {
  std::string path;  ///< `/my-sse`
  std::unique_ptr<delivery::Sender> sender;
};

/// The server's clock. REQUIRES: `services` is not empty.
inline const Clock& clock_of(const std::vector<Service>& services) {
  return services.front().sender->clock();
}

}  // namespace sse::application
