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

/// What one stream was given and its client, which confirms by itself (`ack=1`), has not confirmed yet. Streams with
/// nothing in flight have none of these. One thread at a time.
///
/// It is a log of all events since the oldest message in flight, at-most-once events included, in the order they went
/// into the stream. That order is what a last event id stands for: what lies at or before it was received, whatever
/// the numbers say (a message that waited for a listener has a small id and comes late).
///
/// Whatever is looked for in it is found without looking through it: by halving while the ids ascend in the log, which
/// they nearly always do, and by a table of its own from the first that does not.
class InFlight {
 public:
  /// An event went into the stream. `event` may be 0 (it had no id).
  void sent(std::uint64_t event);
  /// A message went into the stream; again when it is in flight already, and then its next turn is twice as far off as
  /// the last one was, up to 8 times `timeout`.
  void sent(MessageId message, event::TargetKind recipient, SteadyTime now, std::chrono::milliseconds timeout);

  struct Entry {
    MessageId message;
    event::TargetKind recipient = event::TargetKind::kAll;
  };
  /// The client confirms one message. Nothing: it is not in flight here.
  std::optional<Entry> confirm(MessageId message);
  /// The client has received everything up to the event `id`. Returns the messages that confirms; none for an id the
  /// log does not know.
  std::vector<Entry> confirm_through(std::uint64_t id);

  bool contains(MessageId message) const;
  /// Messages in flight.
  std::size_t size() const { return open_; }
  bool empty() const { return open_ == 0; }
  /// Events in the log.
  std::size_t length() const { return log_.size(); }
  /// What it takes beside itself, about.
  std::size_t memory_bytes() const;
  /// Adds the messages in flight to `messages`.
  void list(std::vector<MessageId>& messages) const;

  /// Not later than the moment the first message is due to be sent again.
  SteadyTime next_due() const { return next_due_; }
  /// Messages due at `now`, ascending by id.
  std::vector<MessageId> due(SteadyTime now);
  /// Nobody waits for the message any more (deleted, expired, or confirmed by another stream).
  void forget(MessageId message) { confirm(message); }

 private:
  struct Event {
    std::uint64_t id = 0;
    SteadyTime due;
    event::TargetKind recipient = event::TargetKind::kAll;
    std::uint8_t sends = 0;
    bool open = false;  // a message, not confirmed
  };

  // An event's number, counted from the first this log ever had.
  using Number = std::uint64_t;

  void append(const Event& event);
  std::deque<Event>::const_iterator find(std::uint64_t id) const;
  std::deque<Event>::const_iterator find_open(MessageId message) const;
  std::deque<Event>::iterator find_open(MessageId message);
  void close(Event& event);
  void trim();

  std::deque<Event> log_;
  bool ascending_ = true;                           // by id, none twice
  Number first_ = 0;                                // of log_.front()
  std::unordered_map<std::uint64_t, Number> last_;  // of each id; only while not ascending_
  std::size_t open_ = 0;
  std::uint64_t largest_ = 0;  // message in the log
  SteadyTime next_due_ = SteadyTime::max();
};

}  // namespace sse::hub
