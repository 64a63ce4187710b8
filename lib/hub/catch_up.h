#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/ids.h"
#include "event/frame.h"

namespace sse::hub {

/// An event that was kept after it was sent.
struct KeptEvent {
  event::FrameRef frame;
  /// Its place in the order in which events went into the streams. Positions are ids; this one is the event's own, but
  /// for a message whose commit took so long that younger events overtook it.
  MessageId position;
};

/// How a client that has been here before goes on. Made by the room that keeps events; empty for everybody else.
struct Resumption {
  ConnectionId id;                ///< of the new connection; not valid: the hub makes one
  std::string cursor;             ///< the id connect-finish leaves the client with; empty: the connection's
  std::string notice;             ///< encoded events that follow connect-finish at once
  MessageId course;               ///< the id the client holds after these; not valid: the connection's
  std::vector<KeptEvent> missed;  ///< what goes into the stream before anything live, in order
};

/// The way of one stream into the present: merges what it missed with what is pending for it, and sees to it that the
/// id its client holds at any moment stands for "everything up to here". Ids of pending messages do not: those can be
/// old (they waited for their recipient). So what would take the client back is followed by an id that takes it to
/// where it was (event::encode_cursor). A connection cut just between the two sees some events twice, never one too
/// few.
///
/// Not begun (nothing is kept on this server), it passes everything through. Loop thread only.
class CatchUp {
 public:
  /// Everything published up to `position` went into the stream or is in `missed`; what comes later is live. `cursor`:
  /// where the client stands; not valid: at `position`.
  void begin(MessageId position, std::vector<KeptEvent> missed = {}, MessageId cursor = {});
  bool begun() const { return limit_.valid(); }

  /// A message with this id is not published yet: the stream gets it live, and not from the store.
  bool comes_live(MessageId message) const { return begun() && message > limit_; }
  /// From now on messages come from the store whatever their id: there was no room to hold them.
  void take_all_from_store() { limit_ = begun() ? MessageId(UINT64_MAX) : limit_; }

  /// True until the last of what was missed has come out of merge().
  bool missing() const { return next_ < missed_.size(); }
  /// What goes into the stream now: `pending` (a page from the store, ascending by id) together with the part of what
  /// was missed that lies before it; with `last` all of that. What is in both comes once.
  std::vector<event::FrameRef> merge(std::vector<event::FrameRef> pending, bool last);

 private:
  bool is_missed(MessageId message) const;
  void take_missed(std::vector<event::FrameRef>& out);

  MessageId limit_;
  MessageId course_;  // where the client stands, or stood before a pending message took it back
  bool off_ = false;  // one did
  std::vector<KeptEvent> missed_;
  std::size_t next_ = 0;
  std::vector<MessageId> missed_messages_;  // sorted
};

/// The same event, with the client's cursor set to `cursor` behind it.
event::FrameRef with_cursor(const event::Frame& frame, MessageId cursor);

}  // namespace sse::hub
