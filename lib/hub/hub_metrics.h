#pragma once

#include <vector>

#include "base/ids.h"
#include "observe/metrics.h"

namespace sse::hub {

/// Counters of one service, shared by its shards.
struct HubMetrics {
  HubMetrics(observe::Registry& registry, const ServiceName& service);

  observe::Counter& opened;
  std::vector<observe::Counter*> closed;  // by CloseReason
  observe::Counter& deliveries;
  observe::Counter& delivered_bytes;
  observe::Counter& dropped;
  observe::Counter& heartbeats;
  observe::Counter& resent;
  observe::Counter& attempts_failed;
  observe::Counter& acks_ignored;
  observe::Counter& reconnects_refused;
  observe::Gauge& connections;
};

}  // namespace sse::hub
