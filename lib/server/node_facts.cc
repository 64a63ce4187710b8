#include "server/node_facts.h"

#include <unistd.h>

#include <cstdint>
#include <map>

#include "base/version.h"
#include "server/process_usage.h"

namespace sse::server {

using event::Json;

NodeFacts::Counts NodeFacts::counts() const {
  Counts counts;
  for (const application::Service& service : services_) {
    counts.connections += service.sender->hub().directory().connections();
    counts.users += service.sender->hub().directory().users();
  }
  return counts;
}

Json NodeFacts::document() const {
  const Counts all = counts();
  const std::map<std::string, double> counters = metrics_.snapshot();
  const auto sum = [&](const std::string& name) {
    double total = 0;
    for (const auto& [key, value] : counters) {
      if (key.starts_with(name + "{")) total += value;
    }
    // A whole number, because registries accept few characters.
    return static_cast<std::uint64_t>(total);
  };
  return {{"url", url_()},
          {"version", base::kVersion},
          {"state", state()},
          {"pid", getpid()},
          {"startTime", to_millis(started_)},
          {"connections", all.connections},
          {"users", all.users},
          {"memoryBytes", resident_bytes()},
          {"cpuMicros", cpu_micros()},
          {"deliveries", sum("sse_deliveries_total")},
          {"deliveredBytes", sum("sse_delivered_bytes_total")},
          {"dropped", sum("sse_dropped_total")}};
}

}  // namespace sse::server
