#pragma once

#include <array>

#include "net/front_options.h"
#include "observe/metrics.h"

namespace sse::net {

/// What an HttpFront counts. All series have the label `listener`, the front's name.
struct FrontMetrics {
  FrontMetrics(observe::Registry& registry, const FrontOptions& options);

  /// Counts a response by the class of its status (RFC 9110 §15).
  void count_response(int status);

  observe::Counter& accepted;
  observe::Counter& requests;
  observe::Counter& refused_full;
  observe::Counter& refused_address;
  observe::Counter& refused_descriptors;
  observe::Counter& bad_requests;
  observe::Counter& timeouts;
  observe::Counter& refused_memory;
  observe::Counter& refused_disk;
  observe::Histogram& request_seconds;
  std::array<observe::Counter*, 4> responses{};  ///< 2xx to 5xx
  // Null without TLS.
  observe::Counter* handshakes_done = nullptr;
  observe::Counter* handshakes_failed = nullptr;
  observe::Counter* handshakes_timed_out = nullptr;
};

}  // namespace sse::net
