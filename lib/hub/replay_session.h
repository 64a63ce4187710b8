#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "event/frame.h"
#include "event/target.h"
#include "hub/catch_up.h"
#include "hub/channel_catch_up.h"

namespace sse::hub {

/// The replay of pending messages into one stream, in passes over the store, page by page. A pass reads everything that
/// is pending, or only the messages for new listeners, or it redelivers the messages that are overdue. Live events are
/// held back until the last pass has ended, so that the stream keeps their order.
///
/// It decides what to read and what to append next. The shard requests the pages and gives the frames to the stream. A
/// stream has a session only while a replay runs. Loop thread only.
class ReplaySession {
 public:
  /// The first pass reads everything with a greater id.
  explicit ReplaySession(MessageId after = {}) : cursor_(after) {}
  /// The first pass redelivers these messages only. REQUIRES: not empty, ascending.
  explicit ReplaySession(std::vector<MessageId> overdue);

  // The pass that runs.

  /// Everything up to this id has been read.
  MessageId cursor() const { return cursor_; }
  /// Not empty: the pass reads only messages for listeners of these events.
  const std::vector<std::string>& only_events() const { return only_events_; }
  /// Not empty: the pass reads only messages for these channels.
  const std::vector<std::string>& only_channels() const { return only_channels_; }
  /// Set: the pass reads the retained events of this channel, too.
  const std::optional<ChannelCatchUp>& catching_up() const { return catching_up_; }
  /// Whether further passes do so.
  bool waits_to_catch_up() const { return !catch_ups_.empty(); }
  /// They have been read up to `through`.
  void caught_up_through(MessageId through) {
    if (!catching_up_) return;
    catching_up_->after = std::max(catching_up_->after, through);
    catching_up_->begun = true;
  }
  /// Whether the pass redelivers overdue messages.
  bool redelivers() const { return !overdue_.empty(); }
  bool is_overdue(MessageId message) const;
  /// Whether the pass reads everything that is pending.
  bool reads_all() const { return only_events_.empty() && only_channels_.empty() && !redelivers(); }

  // What else is to be read.

  /// The store has new messages, or ones that were not given to the stream live: a further pass reads everything.
  void read_again() { again_ = true; }
  /// A further pass reads the messages for listeners of these events.
  void add_listeners(const std::vector<std::string>& events);
  /// The stream does not listen to these any more.
  void drop_listeners(const std::vector<std::string>& events);
  /// A further pass reads the messages for these channels, which the stream has joined. `keeps_cursor`: they go into
  /// the stream without ids, and so do not change the last event id of its client.
  void add_channels(const std::vector<std::string>& channels, bool keeps_cursor);
  /// A further pass reads the retained events of a channel that the stream has joined, and the messages for it.
  void add_catch_up(ChannelCatchUp channel) { catch_ups_.push_back(std::move(channel)); }
  /// Begins the next pass; false: there is none. A pass that reads everything begins after `seen_through`.
  bool next_pass(MessageId seen_through);

  // Confirmations.

  /// The client has confirmed the message. The store may not have recorded that yet: a page must not bring it again.
  void cover(MessageId message);
  bool covers(MessageId message) const;

  // A stream that resumes, see CatchUp.

  void resume(MessageId position, std::vector<RetainedEvent> missed = {}, MessageId client_cursor = {}) {
    catch_up_.begin(position, std::move(missed), client_cursor);
  }
  bool resumes() const { return catch_up_.begun(); }
  /// Whether missed events wait for the next page.
  bool missing() const { return catch_up_.missing(); }

  // Live events.

  enum class Held : unsigned char {
    kHeld,         ///< appended when the session ends
    kLeftToStore,  ///< a message that a further pass reads
    kOverflow,     ///< an event that exceeds `max_bytes`
  };
  /// Holds a live event back. `size`: its bytes on the stream. At most `max_bytes` are held, or a single event.
  Held hold(const event::FrameRef& frame, std::size_t size, std::uint64_t max_bytes);
  /// Whether an event without a message would exceed `max_bytes`.
  bool overflows(std::size_t size, std::uint64_t max_bytes) const {
    return held_bytes_ + size > max_bytes && !held_.empty();
  }
  /// Drops the held messages that the stream has got from the store meanwhile.
  template <class HasFromStore, class SizeOf>
  void drop_held(HasFromStore has, SizeOf size_of) {
    std::erase_if(held_, [&](const event::FrameRef& frame) {
      const bool had = frame->message().valid() && has(frame->message());
      if (had) held_bytes_ -= size_of(*frame);
      return had;
    });
  }
  /// Drops the messages for a channel that have not gone into the stream, and what it was to catch up there: it is not
  /// in the channel any more.
  template <class SizeOf>
  void drop_messages_of(std::string_view channel, SizeOf size_of) {
    const auto is_for = [&](const event::FrameRef& frame) {
      return frame->message().valid() && frame->recipient() == event::TargetKind::kChannel &&
             frame->channel() == channel;
    };
    const std::size_t before = held_.size();
    std::erase_if(held_, [&](const event::FrameRef& frame) {
      if (!is_for(frame)) return false;
      held_bytes_ -= size_of(*frame);
      return true;
    });
    // One of them may be pending for another channel of the stream, too.
    again_ = again_ || held_.size() != before;
    std::erase(new_channels_, channel);
    std::erase_if(catch_ups_, [&](const ChannelCatchUp& one) { return one.channel == channel; });
    const bool catches_up = catching_up_ && catching_up_->channel == channel;
    const auto is_for_page = [&](const event::FrameRef& frame) {
      return is_for(frame) || (catches_up && frame->channel() == channel);
    };
    const auto sent = page_.begin() + static_cast<std::ptrdiff_t>(next_in_page_);
    page_.erase(std::remove_if(sent, page_.end(), is_for_page), page_.end());
    if (catches_up) catching_up_.reset();
  }
  /// The held events in their order; none are held afterwards.
  std::vector<event::FrameRef> take_held();

  // The page that was read.

  /// Takes over a page of messages, ascending by id. `through`: everything up to it was read; `last`: the pass ends
  /// with this page. Returns the frames to append: without those that arrive live, and with missed events between them.
  const std::vector<event::FrameRef>& begin_page(std::vector<event::FrameRef> page, MessageId through, bool last);
  /// The overdue messages that the store no longer has, according to a page that it sent up to `through`.
  std::vector<MessageId> withdrawn(const std::vector<event::FrameRef>& page, MessageId through, bool last) const;

  /// The stream, as a page is written to it.
  class Output {
   public:
    enum class State : unsigned char { kEmpty, kBacklog, kClosed };

    /// Whether the frame fits into the maximum backlog.
    virtual bool fits(const event::Frame& frame) const = 0;
    /// Returns false when the stream is closed.
    virtual bool append(const event::FrameRef& frame) = 0;
    /// Writes what the socket takes.
    virtual State flush() = 0;

   protected:
    ~Output() = default;
  };
  /// Appends as much of the page as fits into the maximum backlog: a replay must not turn a healthy client into a slow
  /// consumer. kEmpty: the stream has taken the whole page. kBacklog: call it again when the stream has drained.
  Output::State write_page(Output& out);
  /// Whether it waits for the stream to drain.
  bool waits() const { return waits_; }
  /// Whether the page was the last of its pass.
  bool at_last_page() const { return last_page_; }

 private:
  std::vector<event::FrameRef> held_;
  std::uint64_t held_bytes_ = 0;
  std::vector<event::FrameRef> page_;  // from next_in_page_ on: not yet in the stream
  std::size_t next_in_page_ = 0;
  bool last_page_ = false;
  bool waits_ = false;
  bool again_ = false;
  MessageId cursor_;
  std::vector<std::string> only_events_;
  std::vector<std::string> new_listeners_;  // for a further pass
  std::vector<std::string> only_channels_;
  std::vector<std::string> new_channels_;  // for a further pass
  std::optional<ChannelCatchUp> catching_up_;
  std::deque<ChannelCatchUp> catch_ups_;  // for a further pass each
  bool keeps_cursor_ = false;
  std::vector<MessageId> overdue_;  // ascending
  std::vector<MessageId> covered_;  // ascending
  CatchUp catch_up_;
};

}  // namespace sse::hub
