#include "hub/hub_metrics.h"

#include <cstddef>
#include <string>

#include "hub/channel_review.h"
#include "net/stream.h"

namespace sse::hub {

using net::CloseReason;

observe::Counter& channels_refused(observe::Registry& registry, const ServiceName& service, std::string_view reason,
                                   const std::string& rule) {
  return registry.counter("sse_channels_refused_total",
                          "Channels that streams were refused or had to leave, by reason and rule",
                          {{"service", service.str()}, {"reason", std::string(reason)}, {"rule", rule}});
}

HubMetrics::HubMetrics(observe::Registry& registry, const ServiceName& service)
    : opened(registry.counter("sse_streams_opened_total", "Event streams opened", {{"service", service.str()}})),
      deliveries(registry.counter("sse_deliveries_total", "Events appended to a stream", {{"service", service.str()}})),
      delivered_bytes(registry.counter("sse_delivered_bytes_total", "Bytes of events appended to a stream",
                                       {{"service", service.str()}})),
      dropped(registry.counter("sse_dropped_total", "Events not sent to a slow stream (--slow-consumer drop)",
                               {{"service", service.str()}})),
      heartbeats(registry.counter("sse_heartbeats_total", "Heartbeat comments sent on idle streams",
                                  {{"service", service.str()}})),
      resent(registry.counter("sse_resent_total", "Messages redelivered on an open stream (--qos-ack-timeout)",
                              {{"service", service.str()}})),
      attempts_failed(registry.counter("sse_attempts_failed_total",
                                       "Messages in a stream that ended before they were confirmed",
                                       {{"service", service.str()}})),
      acks_ignored(registry.counter("sse_acks_ignored_total",
                                    "Ids in ack.do that were not in flight on a stream of that client",
                                    {{"service", service.str()}})),
      reconnects_refused(registry.counter(
          "sse_turned_away_total", "Clients closed from the server's side that reconnected and were answered with 204",
          {{"service", service.str()}})),
      channels_revoked(channels_refused(registry, service, kChannelRevoked, "")),
      connections(registry.gauge("sse_streams_open", "Open event streams", {{"service", service.str()}})) {
  for (std::size_t i = 0; i < net::kCloseReasons; ++i) {
    const std::string reason(net::reason_name(static_cast<CloseReason>(i)));
    closed.push_back(&registry.counter("sse_streams_closed_total", "Event streams closed, by reason",
                                       {{"service", service.str()}, {"reason", reason}}));
  }
}

}  // namespace sse::hub
