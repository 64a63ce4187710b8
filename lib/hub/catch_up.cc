#include "hub/catch_up.h"

#include <algorithm>
#include <utility>

#include "event/event.h"

namespace sse::hub {

void CatchUp::begin(MessageId position, std::vector<RetainedEvent> missed, MessageId cursor) {
  limit_ = position;
  client_cursor_ = cursor.valid() ? cursor : position;
  missed_ = std::move(missed);
  for (const RetainedEvent& event : missed_) {
    if (event.frame->message().valid()) missed_messages_.push_back(event.frame->message());
  }
  std::ranges::sort(missed_messages_);
}

bool CatchUp::is_missed(MessageId message) const {
  return std::ranges::binary_search(missed_messages_, message);
}

void CatchUp::take_missed(std::vector<event::FrameRef>& out) {
  client_cursor_ = missed_[next_].position;
  behind_cursor_ = false;
  out.push_back(std::move(missed_[next_++].frame));
}

std::vector<event::FrameRef> CatchUp::merge(std::vector<event::FrameRef> pending, bool last) {
  if (!begun()) return pending;
  std::vector<event::FrameRef> out;
  for (event::FrameRef& frame : pending) {
    const MessageId message = frame->message();
    if (is_missed(message)) continue;
    while (missing() && missed_[next_].position < message) take_missed(out);
    behind_cursor_ = message < client_cursor_;
    if (!behind_cursor_) client_cursor_ = message;
    out.push_back(std::move(frame));
  }
  while (last && missing()) take_missed(out);
  if (behind_cursor_ && !out.empty()) {
    out.back() = with_cursor(*out.back(), client_cursor_);
    behind_cursor_ = false;
  }
  return out;
}

event::FrameRef with_cursor(const event::Frame& frame, MessageId cursor) {
  return event::Frame::make(std::string(frame.bytes()) + event::encode_cursor(cursor.str()), frame.message(),
                            frame.recipient(), frame.channel());
}

}  // namespace sse::hub
