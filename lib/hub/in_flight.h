#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "event/target.h"

namespace sse::hub {

/// Tracks the messages that were sent on one stream and that its client, which acknowledges by itself (`ack=1`), has
/// not acknowledged yet. Streams with nothing in flight have no such object. One thread at a time.
///
/// It is a log of all events since the oldest message in flight, at-most-once events included, in the order they went
/// into the stream. A last event id refers to that order: the client has received everything at or before it, whatever
/// the numbers are (a message that waited for a listener has a small id and is sent late).
///
/// No lookup is linear: a binary search while the ids in the log ascend, as they nearly always do, and a hash table
/// from the first id that does not.
class InFlight {
 public:
  /// An event went into the stream. `event` may be 0 (it had no id).
  void sent(std::uint64_t event);
  /// A message went into the stream. For a message already in flight this is a redelivery, and the time until the next
  /// one doubles, up to 8 times `timeout`. Returns how often it was sent while in flight.
  int sent(MessageId message, event::TargetKind recipient, SteadyTime now, std::chrono::milliseconds timeout);

  struct Entry {
    MessageId message;
    event::TargetKind recipient = event::TargetKind::kAll;
  };
  /// The client acknowledges one message. nullopt: it is not in flight here.
  std::optional<Entry> confirm(MessageId message);
  /// The client has received everything up to the event `id`. Returns the messages acknowledged by that; none for an id
  /// that is not in the log.
  std::vector<Entry> confirm_through(std::uint64_t id);

  bool contains(MessageId message) const;
  /// Messages in flight.
  std::size_t size() const { return open_; }
  bool empty() const { return open_ == 0; }
  /// Events in the log.
  std::size_t length() const { return log_.size(); }
  /// Approximate heap memory.
  std::size_t memory_bytes() const;
  /// Adds the messages in flight to `messages`.
  void list(std::vector<MessageId>& messages) const;

  /// A lower bound of the time when the first message is due for redelivery.
  SteadyTime next_due() const { return next_due_; }
  /// Messages due at `now`, ascending by id.
  std::vector<MessageId> due(SteadyTime now);
  /// The message is no longer pending (deleted, expired, or acknowledged on another stream).
  void forget(MessageId message) { remove(message); }

  /// A client that listens to a message and was given it this often has had minutes to confirm it, with the usual
  /// --qos-ack-timeout.
  static constexpr int kMaxUnconfirmedSends = 5;
  /// The client was given such a message that often.
  void expect_confirmation() { expects_confirmation_ = true; }
  /// True when it has confirmed nothing on this stream since it was given that message first.
  bool is_silent() const { return expects_confirmation_ && silent_rounds_ >= kMaxUnconfirmedSends; }

 private:
  struct Event {
    std::uint64_t id = 0;
    SteadyTime due;
    event::TargetKind recipient = event::TargetKind::kAll;
    std::uint8_t sends = 0;
    bool open = false;  // a message, not acknowledged
  };

  // Sequence number of an event since the creation of the log.
  using Number = std::uint64_t;

  void append(const Event& event);
  std::deque<Event>::const_iterator find(std::uint64_t id) const;
  std::deque<Event>::const_iterator find_open(MessageId message) const;
  std::deque<Event>::iterator find_open(MessageId message);
  std::optional<Entry> remove(MessageId message);
  void close(Event& event);
  void note_confirmation();
  void trim();

  std::deque<Event> log_;
  bool ascending_ = true;  // strictly, by id
  bool expects_confirmation_ = false;
  std::uint8_t silent_rounds_ = 0;                  // of due() since the client confirmed a message
  Number first_ = 0;                                // of log_.front()
  std::unordered_map<std::uint64_t, Number> last_;  // by id; only while not ascending_
  std::size_t open_ = 0;
  std::uint64_t largest_ = 0;  // message id in the log
  SteadyTime next_due_ = SteadyTime::max();
};

}  // namespace sse::hub
