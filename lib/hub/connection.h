#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/coarse_time.h"
#include "base/ids.h"
#include "event/target.h"
#include "hub/attributes.h"
#include "hub/catch_up.h"
#include "hub/index.h"
#include "net/address_limiter.h"
#include "net/socket.h"
#include "net/stream.h"

namespace sse::hub {

/// Whose connection it is, as the authentication said. Empty fields: unknown.
struct Identity {
  UserId user;
  TenantId tenant{};
  AccessToken token{};
};

/// Whether a stream of `owner` is `who`'s own: the same user of the same tenant. Nobody owns streams without a user.
inline bool owns(const Identity& who, const Identity& owner) {
  return !who.user.empty() && who.user == owner.user && who.tenant == owner.tenant;
}

/// A connection that is about to be: everything that is decided before its loop takes it.
struct NewConnection {
  ConnectionId id;  ///< of Hub::reserve_id(); invalid: it gets one
  Identity identity;
  ChannelName channel;
  std::vector<std::string> listeners;
  Attributes attributes;
  std::chrono::milliseconds keepalive{0};  ///< longest life; 0: no limit
  bool ends_with_token = false;            ///< that life is as long as what its client identified itself by is valid
  bool confirms = false;                   ///< its client confirms messages itself (`ack=1`); needs a user
  bool marks = false;                      ///< it wants to be told which events those are (`ackMarks=1`)
  std::uint64_t last_event = 0;            ///< id of the last event the client got on an earlier stream; 0: none
  std::string last_event_id;               ///< as the client sent it; empty: it has seen nothing yet
  net::Socket socket;
  std::string response_head;  ///< written before the first event
  bool chunked = false;       ///< that head says `Transfer-Encoding: chunked`
  std::unique_ptr<net::AddressLimiter::Ticket> ticket;
};

/// What the page was told its session duration is (sse-set-duration), and when.
struct SetDuration {
  std::int64_t seconds = 0;
  WallTime at;
};

/// A snapshot of a connection for those who ask.
struct ConnectionInfo {
  ConnectionId id;
  Identity identity;
  ChannelName channel;
  std::vector<std::string> listeners;
  Attributes attributes;
  WallTime created;
  WallTime as_of;  ///< when this was so
  std::chrono::milliseconds keepalive{0};
  std::optional<WallTime> last_request;
  WallTime last_write;  ///< when the socket last took bytes
  std::optional<SetDuration> duration;
  std::uint64_t messages = 0;          ///< events taken into the stream
  std::uint64_t request_messages = 0;  ///< `message/….do` calls
  std::uint64_t request_uploads = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t backlog_bytes = 0;
  std::optional<std::chrono::milliseconds> oldest_unsent;  ///< age of the oldest event its socket has not taken
  std::uint64_t dropped = 0;                               ///< events it did not get because it was too slow
  bool confirms = false;                                   ///< its client confirms messages itself
  std::uint64_t in_flight = 0;  ///< messages it got and has not confirmed; with `confirms` only
};

/// One open stream and who it belongs to. Belongs to its shard; loop thread only.
///
/// Tens of thousands are held: what only few of them need goes into Rare, and what can be computed is not kept.
struct Connection final : net::Stream {
  // Only while pending messages are being replayed. A pass goes through the repository page by page; one for new
  // listeners looks from the start, only for what they wait for.
  struct Replay {
    std::vector<event::FrameRef> held;  // live events that wait their turn
    std::uint64_t held_bytes = 0;
    std::vector<event::FrameRef> page;  // from next_in_page on: read, and not yet in the stream
    std::size_t next_in_page = 0;
    bool last_page = false;
    MessageId cursor;
    std::vector<std::string> only_events;    // of this pass; empty: everything
    std::vector<std::string> new_listeners;  // a pass for these follows
    bool again = false;                      // a message was committed meanwhile: one more look
    bool resend = false;                     // this pass is for messages in flight that are due again
    std::vector<MessageId> late;             // those, ascending
    std::vector<MessageId> covered;  // confirmed since or just before it opened, sorted; the store may not know yet
    bool waiting = false;            // for the stream to drain, before it goes on
    CatchUp catch_up;

    // A page that the store has read before it knows of the confirmation must not bring the message again.
    void cover(MessageId message) {
      const auto place = std::lower_bound(covered.begin(), covered.end(), message);
      if (place == covered.end() || *place != message) covered.insert(place, message);
    }
  };

  // What most connections never have.
  struct Rare {
    std::unique_ptr<net::AddressLimiter::Ticket> ticket;
    // Whose it was, for confirmations that arrive while a stream that has left the indexes is written out.
    std::unique_ptr<std::array<std::string, kIndexes>> former_names;
    SteadyTime finish_by = SteadyTime::max();  // of a stream that is being ended
    std::int64_t last_request_millis = 0;
    std::uint32_t request_messages = 0;
    std::uint32_t request_uploads = 0;
    std::uint32_t dropped = 0;
  };

  Connection(ConnectionId connection_id, const net::Stream::Host& host, net::Socket socket, bool chunked = false)
      : net::Stream(host, std::move(socket), chunked), id(connection_id), opened(host.loop.now()) {}

  bool listens(std::string_view event) const { return listeners->find(event) != listeners->end(); }
  /// Made when first asked for.
  Rare& rare() {
    if (!rare_) rare_ = std::make_unique<Rare>();
    return *rare_;
  }
  /// Null for most.
  const Rare* rare_or_null() const { return rare_.get(); }
  Attributes unpacked_attributes() const { return Attributes::unpack({attributes.get(), attributes_size}); }
  void keep_attributes(const Attributes& fresh) {
    const std::string packed = fresh.pack();
    attributes = std::make_unique_for_overwrite<char[]>(packed.size());
    attributes_size = static_cast<std::uint32_t>(packed.size());
    std::ranges::copy(packed, attributes.get());
  }
  /// When its keepaliveTime is over; max() for never.
  SteadyTime expires(SteadyTime now) const {
    return keepalive_millis == 0 ? SteadyTime::max() : opened.at(now) + std::chrono::milliseconds(keepalive_millis);
  }
  /// The id tells.
  WallTime created() const { return IdGenerator::time_of(id.value()); }

  bool indexed = false;
  // The round in which the shard looks whether its peer's TCP has acknowledged what it waits for.
  static constexpr std::uint8_t kAckNone = 0xFF;
  static constexpr std::uint8_t kAckWritten = 0xFE;  // at the end of this turn
  std::uint8_t ack_round = kAckNone;
  bool confirms = false;              // its client does, not its TCP
  bool marks : 1 = false;             // and gets a mark before each message
  bool given_messages : 1 = false;    // one at least went into its stream
  bool given_from_store : 1 = false;  // the shard has GivenMessages for it
  bool ends_with_token : 1 = false;
  bool in_flight = false;  // the shard has an InFlight for it
  std::uint32_t messages = 0;
  const ConnectionId id;
  MessageId replayed_through;
  std::unique_ptr<Replay> replay;
  Membership membership;
  const ListenerSet* listeners = nullptr;
  std::unique_ptr<char[]> attributes;  // Attributes::pack()
  std::uint32_t attributes_size = 0;
  std::uint32_t keepalive_millis = 0;
  CoarseTime opened;

 private:
  std::unique_ptr<Rare> rare_;
};

}  // namespace sse::hub
