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
#include "sse-server/connection.h"

namespace sse::hub {

using sse::ConnectionInfo;
using sse::Identity;
using sse::SetDuration;

/// Whether `who` owns a stream of `owner`: both are the same user of the same tenant. A stream without a user has no
/// owner.
inline bool owns(const Identity& caller, const Identity& owner) {
  return !caller.user.empty() && caller.user == owner.user && caller.tenant == owner.tenant;
}

/// A connection to open: everything that is decided before the hub hands it to an event loop.
struct NewConnection {
  ConnectionId id;  ///< from Hub::reserve_id(); invalid: the hub makes one
  Identity identity;
  ChannelName channel;
  std::vector<std::string> listeners;
  Attributes attributes;
  std::chrono::milliseconds keepalive{0};  ///< maximum lifetime; 0: no limit
  bool ends_with_token = false;            ///< the lifetime is that of the client's credentials
  bool confirms = false;                   ///< the client acknowledges messages itself (`ack=1`); needs a user
  bool marks = false;                      ///< the client wants a mark before each such message (`ackMarks=1`)
  std::uint64_t last_event = 0;            ///< last event id of an earlier stream of the client; 0: none
  std::string last_event_id;               ///< Last-Event-ID as the client sent it; empty: none
  net::Socket socket;
  std::string response_head;  ///< written before the first event
  bool chunked = false;       ///< the head contains `Transfer-Encoding: chunked`
  std::unique_ptr<net::AddressLimiter::Ticket> ticket;
};

/// One open event stream with the identity and subscriptions of its client. Owned by its shard; loop thread only.
///
/// A server holds tens of thousands: fields that few connections need are in Rare, and values that can be computed are
/// not stored.
struct Connection final : net::Stream {
  // Exists only while pending messages are being replayed. A pass reads the repository page by page; a pass for new
  // listeners starts at the beginning and reads only messages for these.
  struct Replay {
    std::vector<event::FrameRef> queued;  // live events queued behind the replay
    std::uint64_t queued_bytes = 0;
    std::vector<event::FrameRef> page;  // from next_in_page on: read, not yet in the stream
    std::size_t next_in_page = 0;
    bool last_page = false;
    MessageId cursor;
    std::vector<std::string> only_events;    // filter of this pass; empty: none
    std::vector<std::string> new_listeners;  // for a further pass
    bool again = false;                      // a message was committed meanwhile: read once more
    bool resend = false;                     // this pass redelivers messages in flight that are due
    std::vector<MessageId> late;             // the messages due, ascending
    std::vector<MessageId> covered;  // confirmed since, or just before, it opened; sorted; maybe not in the store yet
    bool waiting = false;            // for the stream to drain
    CatchUp catch_up;

    // A page that was read before the store recorded the confirmation must not deliver the message again.
    void cover(MessageId message) {
      const auto place = std::lower_bound(covered.begin(), covered.end(), message);
      if (place == covered.end() || *place != message) covered.insert(place, message);
    }
  };

  // What most connections never have.
  struct Rare {
    std::unique_ptr<net::AddressLimiter::Ticket> ticket;
    // Names of a closing stream, which has left the indexes, for confirmations that arrive while it is flushed.
    std::unique_ptr<std::array<std::string, kIndexes>> former_names;
    SteadyTime finish_by = SteadyTime::max();  // of a stream that is closing
    std::int64_t last_request_millis = 0;
    std::uint32_t request_messages = 0;
    std::uint32_t request_uploads = 0;
    std::uint32_t dropped = 0;
  };

  Connection(ConnectionId connection_id, const net::Stream::Host& host, net::Socket socket, bool chunked = false)
      : net::Stream(host, std::move(socket), chunked), id(connection_id), opened(host.loop.now()) {}

  bool listens(std::string_view event) const { return listeners->find(event) != listeners->end(); }
  /// Created on first use.
  Rare& rare() {
    if (!rare_) rare_ = std::make_unique<Rare>();
    return *rare_;
  }
  /// Null for most connections.
  const Rare* rare_or_null() const { return rare_.get(); }
  Attributes unpacked_attributes() const { return unpack_attributes({attributes.get(), attributes_size}); }
  void keep_attributes(const Attributes& fresh) {
    const std::string packed = pack(fresh);
    attributes = std::make_unique_for_overwrite<char[]>(packed.size());
    attributes_size = static_cast<std::uint32_t>(packed.size());
    std::ranges::copy(packed, attributes.get());
  }
  /// When its keepaliveTime ends; max() for never.
  SteadyTime expires(SteadyTime now) const {
    return keepalive_millis == 0 ? SteadyTime::max() : opened.at(now) + std::chrono::milliseconds(keepalive_millis);
  }
  /// The id contains the time.
  WallTime created() const { return IdGenerator::time_of(id.value()); }

  bool indexed = false;
  // The round in which the shard checks whether the peer's TCP has acknowledged the messages sent.
  static constexpr std::uint8_t kAckNone = 0xFF;
  static constexpr std::uint8_t kAckWritten = 0xFE;  // at the end of this turn
  std::uint8_t ack_round = kAckNone;
  bool confirms = false;                 // the client acknowledges, not its TCP
  bool marks : 1 = false;                // a mark goes before each message
  bool had_messages : 1 = false;         // at least one went into the stream
  bool replayed_from_store : 1 = false;  // the shard has ReplayedMessages for it
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
