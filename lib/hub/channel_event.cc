#include "hub/channel_event.h"

#include "event/event.h"
#include "event/json.h"

namespace sse::hub {

std::string encode_channel_refused(const RefusedChannel& refused) {
  event::Event event;
  event.name = event::kChannelRefused;
  event.data = event::dump_fields({{"channel", refused.channel.str()}, {"reason", refused.reason}});
  return event::encode(event);
}

}  // namespace sse::hub
