#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/ids.h"
#include "event/frame.h"

namespace sse::hub {

/// An event that the history retains after it was sent.
struct RetainedEvent {
  event::FrameRef frame;
  /// Its place in the order in which events went into the streams. Positions are ids. It equals the event's own id,
  /// except for a message whose commit took so long that younger events overtook it.
  MessageId position;
  bool listening = false;  ///< it is for streams only that listen to it
};

/// How a stream of a reconnecting client resumes. Made by the module that retains events (delivery::History); empty for
/// a client without a last event id.
struct Resumption {
  ConnectionId id;                    ///< of the new connection; invalid: the hub makes one
  std::string cursor;                 ///< the client's last event id after connect-finish; empty: the connection's
  std::string notice;                 ///< encoded events, sent right after connect-finish
  MessageId client_cursor;            ///< the client's last event id after these; invalid: the connection's
  std::vector<RetainedEvent> missed;  ///< sent before any live event, in this order
};

/// Catches a resumed stream up with live events: merges the events it missed with the messages pending for it, and
/// makes sure that the last event id of its client always means "everything up to here". The id of a pending message
/// may be old, because the message waited for its recipient. An event that would set the client's id back is therefore
/// followed by an id that restores it (event::encode_cursor). A client whose connection breaks between the two gets
/// some events twice, but misses none.
///
/// Without begin() (this server retains no events) it passes everything through. Loop thread only.
class CatchUp {
 public:
  /// Everything published up to `position` went into the stream or is in `missed`; later events arrive live. `cursor`:
  /// the client's last event id; invalid: `position`.
  void begin(MessageId position, std::vector<RetainedEvent> missed = {}, MessageId cursor = {});
  bool begun() const { return limit_.valid(); }

  /// Whether a message with this id is not published yet: the stream gets it live, not from the store.
  bool arrives_live(MessageId message) const { return begun() && message > limit_; }
  /// From now on all messages are read from the store, whatever their id, because the buffer for live ones was full.
  void take_all_from_store() { limit_ = begun() ? MessageId(UINT64_MAX) : limit_; }

  /// True until merge() has returned the last missed event.
  bool missing() const { return next_ < missed_.size(); }
  /// The frames to append now: `pending` (a page from the store, ascending by id) and the missed events before it; with
  /// `last` all missed events. An event in both is returned once.
  std::vector<event::FrameRef> merge(std::vector<event::FrameRef> pending, bool last);

 private:
  bool is_missed(MessageId message) const;
  void take_missed(std::vector<event::FrameRef>& out);

  MessageId limit_;
  MessageId client_cursor_;     // the client's last event id, ignoring pending messages that set it back
  bool behind_cursor_ = false;  // a pending message did
  std::vector<RetainedEvent> missed_;
  std::size_t next_ = 0;
  std::vector<MessageId> missed_messages_;  // sorted
};

/// The same event, followed by an id that sets the client's last event id to `cursor`.
event::FrameRef with_cursor(const event::Frame& frame, MessageId cursor);

}  // namespace sse::hub
