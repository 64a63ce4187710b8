#include "server/node_facts.h"

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <map>

#include "base/version.h"
#include "server/process_usage.h"

namespace sse::server {

using event::Json;

Json NodeFacts::document() const {
  std::size_t connections = 0;
  std::size_t users = 0;
  for (const application::Service& service : services_) {
    connections += service.sender->hub().directory().connections();
    users += service.sender->hub().directory().users();
  }
  const std::map<std::string, double> counters = metrics_.snapshot();
  const auto sum = [&](const std::string& name) {
    double all = 0;
    for (const auto& [key, value] : counters) {
      if (key.starts_with(name + "{")) all += value;
    }
    // A whole number, because registries accept few characters.
    return static_cast<std::uint64_t>(all);
  };
  return {{"url", url_()},
          {"version", base::kVersion},
          {"state", state()},
          {"pid", getpid()},
          {"startTime", to_millis(started_)},
          {"connections", connections},
          {"users", users},
          {"memoryBytes", resident_bytes()},
          {"cpuMicros", cpu_micros()},
          {"deliveries", sum("sse_deliveries_total")},
          {"deliveredBytes", sum("sse_delivered_bytes_total")},
          {"dropped", sum("sse_dropped_total")}};
}

}  // namespace sse::server
