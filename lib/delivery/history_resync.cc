// History: what a client is told that has missed events.
#include <optional>
#include <string>

#include "base/text.h"
#include "delivery/history.h"
#include "event/event.h"
#include "event/json.h"

namespace sse::delivery {

std::string History::resync_event(const std::string& requested, const std::string& id,
                                  std::optional<std::uint64_t> oldest, std::optional<std::uint64_t> missed) {
  event::Event notice;
  notice.name = event::kResync;
  notice.id = id;
  notice.data = event::dump_json({{"requested", printable(requested, 100)},
                                  {"oldest", oldest ? event::Json(std::to_string(*oldest)) : event::Json(nullptr)},
                                  {"missed", missed ? event::Json(*missed) : event::Json(nullptr)}});
  return event::encode(notice);
}

observe::Counter& History::resync_counter(observe::Registry& metrics, const ServiceName& service) {
  return metrics.counter("sse_resyncs_total", "Resync events sent: events a client missed are not retained",
                         {{"service", service.str()}});
}

observe::Counter& History::resumed_events_counter(observe::Registry& metrics, const ServiceName& service) {
  return metrics.counter("sse_resumed_events_total", "Retained events sent to clients that resume or join a channel",
                         {{"service", service.str()}});
}

}  // namespace sse::delivery
