#include "net/front_metrics.h"

#include <algorithm>
#include <string>

namespace sse::net {
namespace {

observe::Counter& refused_connections(observe::Registry& registry, const FrontOptions& options, const char* reason) {
  return registry.counter("sse_http_refused_total", "Connections refused, by the limit that applied",
                          {{"listener", options.name}, {"reason", reason}});
}

observe::Counter& refused_bodies(observe::Registry& registry, const FrontOptions& options, const char* reason) {
  return registry.counter("sse_http_bodies_refused_total", "Requests refused for the size of their body",
                          {{"listener", options.name}, {"reason", reason}});
}

}  // namespace

FrontMetrics::FrontMetrics(observe::Registry& registry, const FrontOptions& options)
    : accepted(registry.counter("sse_http_accepted_total", "Connections accepted", {{"listener", options.name}})),
      requests(registry.counter("sse_http_requests_total", "Requests handled", {{"listener", options.name}})),
      refused_full(refused_connections(registry, options, "max_connections")),
      refused_address(refused_connections(registry, options, "max_connections_per_ip")),
      refused_descriptors(refused_connections(registry, options, "descriptors")),
      bad_requests(registry.counter("sse_http_bad_requests_total", "Requests refused as malformed or too large",
                                    {{"listener", options.name}})),
      timeouts(registry.counter("sse_http_timeouts_total", "Connections closed because a head or body was too slow",
                                {{"listener", options.name}})),
      refused_memory(refused_bodies(registry, options, "memory")),
      refused_disk(refused_bodies(registry, options, "disk")),
      request_seconds(registry.histogram("sse_http_request_seconds",
                                         "From a request's last byte until its response is ready", observe::latencies(),
                                         {{"listener", options.name}})) {
  for (std::size_t i = 0; i < responses.size(); ++i) {
    responses[i] = &registry.counter("sse_http_responses_total", "Responses, by the class of their status",
                                     {{"listener", options.name}, {"class", std::to_string(i + 2) + "xx"}});
  }
  if (options.tls != nullptr) {
    const auto count = [&](const char* result) {
      return &registry.counter("sse_tls_handshakes_total", "TLS handshakes, by result",
                               {{"listener", options.name}, {"result", result}});
    };
    handshakes_done = count("done");
    handshakes_failed = count("failed");
    handshakes_timed_out = count("timeout");
  }
  if (options.memory != nullptr) {
    registry.gauge_callback("sse_http_body_memory_bytes", "Memory taken for request bodies",
                            [budget = options.memory] { return static_cast<double>(budget->used()); },
                            {{"listener", options.name}});
  }
}

void FrontMetrics::count_response(int status) {
  responses[static_cast<std::size_t>(std::clamp(status / 100, 2, 5) - 2)]->add();
}

}  // namespace sse::net
