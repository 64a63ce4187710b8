#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "observe/metrics.h"

namespace sse::hub {

/// Counts streams that are not in a channel that their client asked for. `rule`: the rule that left it to the
/// application; else empty.
observe::Counter& channels_refused(observe::Registry& registry, const ServiceName& service, std::string_view reason,
                                   const std::string& rule);

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
  observe::Counter& channels_revoked;
  observe::Gauge& connections;
};

}  // namespace sse::hub
