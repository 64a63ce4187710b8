#include "delivery/trace_log.h"

#include <string>

#include "base/hex.h"
#include "observe/log.h"
#include "observe/structured_log.h"

namespace sse::delivery {
namespace {

observe::Level level_of(const TraceContext& context) {
  return context.sampled ? observe::Level::kInfo : observe::Level::kDebug;
}

}  // namespace

bool traces(const TraceContext& context) {
  return observe::structured_log_enabled(level_of(context));
}

void log_trace(const TraceContext& context, std::string_view message, const TracedEvent& about) {
  const std::string connection = about.connection.valid() ? about.connection.str() : std::string();
  const observe::Field what{about.delivered ? "delivered" : "connection",
                            about.delivered ? std::to_string(*about.delivered) : connection};
  observe::log(level_of(context), message,
               {{"trace_id", to_hex(context.trace_id)},
                {"span_id", to_hex(context.parent_id)},
                {"trace_flags", context.sampled ? "01" : "00"},
                {"service", about.service.str()},
                {"event", std::string(about.event)},
                {"id", about.id.str()},
                what});
}

}  // namespace sse::delivery
