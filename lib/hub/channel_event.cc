#include "hub/channel_event.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "event/event.h"
#include "event/json.h"

namespace sse::hub {

std::string encode_channel_refused(const RefusedChannel& refused) {
  event::Event event;
  event.name = event::kChannelRefused;
  event.data = event::dump_fields({{"channel", refused.channel.str()}, {"reason", refused.reason}});
  return event::encode(event);
}

namespace {

using Fields = std::vector<std::pair<std::string_view, event::Json>>;

// An EventSource shows a client only events that it has a listener for: the name tells whether the next one that it
// gets is the one after the mark.
Fields fields_of(const event::Frame& frame) {
  const std::string_view name = event::name_of(frame.bytes());
  return {{"channel", std::string(frame.channel())}, {"event", std::string(name.empty() ? "message" : name)}};
}

event::FrameRef marked(const event::Frame& frame, const Fields& fields, std::string_view event) {
  event::Event mark;
  mark.name = event::kChannelMark;
  mark.data = event::dump_fields(fields);
  return event::Frame::make(event::encode(mark).append(event), frame.message(), frame.recipient(), frame.channel());
}

}  // namespace

event::FrameRef with_channel_mark(const event::Frame& frame) {
  return marked(frame, fields_of(frame), frame.bytes());
}

event::FrameRef with_id_in_mark(const event::Frame& frame, MessageId position) {
  std::string_view event = frame.bytes();
  // A block behind it has an id alone, see with_cursor().
  event = event.substr(0, event.find("\n\n") + 2);
  std::string id;
  if (event.starts_with("id:")) {
    const std::size_t end = event.find('\n');
    id = event.substr(3, end - 3);
    event.remove_prefix(end + 1);
  }
  Fields fields = fields_of(frame);
  if (!id.empty()) fields.emplace_back("id", std::move(id));
  if (position.valid()) fields.emplace_back("position", position.str());
  return marked(frame, fields, event);
}

event::FrameRef encode_caught_up(const std::string& channel, MessageId position) {
  Fields fields{{"channel", channel}, {"caughtUp", true}};
  if (position.valid()) fields.emplace_back("position", position.str());
  event::Event mark;
  mark.name = event::kChannelMark;
  mark.data = event::dump_fields(fields);
  return event::Frame::make(event::encode(mark), {}, event::TargetKind::kChannel, channel);
}

}  // namespace sse::hub
