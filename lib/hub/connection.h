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
#include "hub/channel_review.h"
#include "hub/index.h"
#include "hub/message_recipients.h"
#include "hub/replay_session.h"
#include "hub/tcp_ack_poll.h"
#include "net/address_limiter.h"
#include "net/counted.h"
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
  std::vector<JoinedChannel> channels{};           ///< that it may join, at most kMaxChannels, each once
  std::uint32_t channel_version = 0;               ///< of the rules by which it may: ChannelReview::version
  std::vector<RefusedChannel> refused_channels{};  ///< that the client asked for, too
  std::vector<ChannelName> presence{};             ///< whose presence it watches, where it may join them
  std::vector<std::string> listeners;
  Attributes attributes;
  std::chrono::milliseconds keepalive{0};  ///< maximum lifetime; 0: no limit
  bool ends_with_token = false;            ///< the lifetime is that of the client's credentials
  bool confirms = false;                   ///< the client acknowledges messages itself (`ack=1`); needs a user
  bool marks = false;                      ///< the client wants a mark before each such message (`ackMarks=1`)
  bool channel_marks = false;              ///< the client wants one before each event of a channel (`channelMarks=1`)
  bool pings = false;                      ///< the client wants an `sse-ping` every heartbeat (`ping=1`)
  bool ends = false;                       ///< the client wants an `sse-end` before it is to reconnect (`ends=1`)
  std::uint64_t last_event = 0;            ///< last event id of an earlier stream of the client; 0: none
  std::string last_event_id;               ///< Last-Event-ID as the client sent it; empty: none
  net::Socket socket;
  std::string response_head;  ///< written before the first event
  bool chunked = false;       ///< the head contains `Transfer-Encoding: chunked`
  std::unique_ptr<net::AddressLimiter::Ticket> ticket;
  std::string request_key;  ///< told in connect-finish; empty: the client has credentials for its requests
  /// User::channels of the ticket that opened the stream: with the request key the client sends no credentials.
  std::vector<std::string> granted_channels{};
  net::Counted counted;  ///< until its shard counts it
};

/// One open event stream with the identity and subscriptions of its client. Owned by its shard; loop thread only.
///
/// A server holds tens of thousands: fields that few connections need are in Rare, and values that can be computed are
/// not stored.
struct Connection final : net::Stream {
  // What most connections never have.
  struct Rare {
    std::unique_ptr<net::AddressLimiter::Ticket> ticket;
    // Names of a closing stream, which has left the indexes, for confirmations that arrive while it is flushed.
    std::unique_ptr<std::array<std::string, kIndexes>> former_names;
    // Its first channel once it has left that, for confirmations of what it got there.
    std::unique_ptr<std::string> former_channel;
    std::unique_ptr<MessageRecipients> message_recipients;
    std::unique_ptr<std::vector<std::string>> granted_channels;
    SteadyTime finish_by = SteadyTime::max();  // of a stream that is closing
    std::int64_t last_request_millis = 0;
    std::uint32_t request_messages = 0;
    std::uint32_t request_uploads = 0;
    std::uint32_t dropped = 0;
  };

  Connection(ConnectionId connection_id, const net::Stream::Host& host, net::Socket socket, bool chunked = false)
      : net::Stream(host, std::move(socket), chunked), id(connection_id), opened(host.loop.now()) {}

  /// Whether it is a stream of a client with this clientId or clientInstanceId, which is not empty.
  bool is_of_client(std::string_view client) const;
  bool listens(std::string_view event) const { return listeners->find(event) != listeners->end(); }
  /// Whether it gets an event that is sent to its group, only to `listening` connections or to all.
  bool wants(bool listening, std::string_view event) const { return !listening || listens(event); }
  /// Created on first use.
  Rare& rare() {
    if (!rare_) rare_ = std::make_unique<Rare>();
    return *rare_;
  }
  /// Null for most connections.
  const Rare* rare_or_null() const { return rare_.get(); }
  /// Created on first use.
  MessageRecipients& message_recipients() {
    std::unique_ptr<MessageRecipients>& recipients = rare().message_recipients;
    if (!recipients) recipients = std::make_unique<MessageRecipients>();
    return *recipients;
  }
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
  TcpAckRound ack_round;
  bool confirms = false;                 // the client acknowledges, not its TCP
  bool marks : 1 = false;                // a mark goes before each message
  bool had_messages : 1 = false;         // at least one went into the stream
  bool replayed_from_store : 1 = false;  // the shard has ReplayedMessages for it
  bool ends_with_token : 1 = false;
  bool writes_first : 1 = false;  // this and the next two belong to the WriteQueue
  bool writes_later : 1 = false;
  bool discarded : 1 = false;
  bool pings : 1 = false;             // gets sse-ping instead of heartbeat comments
  bool ends : 1 = false;              // gets sse-end
  bool sent_once : 1 = false;         // the shard has SentOnce for it
  bool channel_marks : 1 = false;     // a mark goes before each event of a channel
  bool watches_presence : 1 = false;  // ShardPresence may have it among the watchers of channels
  bool in_flight = false;             // the AckTracker has messages in flight for it
  std::uint8_t client_tag = 0;        // hub::client_tag() of its clientId
  std::uint8_t instance_tag = 0;      // and of its clientInstanceId
  std::uint32_t messages = 0;
  const ConnectionId id;
  MessageId replayed_through;
  std::unique_ptr<ReplaySession> replay;  // while pending messages are being replayed
  Membership membership;
  const ListenerSet* listeners = nullptr;
  std::unique_ptr<char[]> attributes;  // Attributes::pack()
  std::uint32_t attributes_size = 0;
  std::uint32_t keepalive_millis = 0;
  CoarseTime opened;
  std::uint32_t passes_taken = 0;  // Pass::number

 private:
  std::unique_ptr<Rare> rare_;
};

}  // namespace sse::hub
