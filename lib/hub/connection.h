#pragma once

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
#include "base/ids.h"
#include "event/target.h"
#include "hub/attributes.h"
#include "hub/index.h"
#include "net/address_limiter.h"
#include "net/stream.h"

namespace sse::hub {

/// Whose connection it is, as the authentication said. Empty fields: unknown.
struct Identity {
  UserId user;
  TenantId tenant;
  AccessToken token;
};

/// A connection that is about to be: everything that is decided before its loop takes it.
struct NewConnection {
  ConnectionId id;  ///< of Hub::reserve_id(); invalid: it gets one
  Identity identity;
  ChannelName channel;
  std::vector<std::string> listeners;
  Attributes attributes;
  std::chrono::milliseconds keepalive{0};  ///< longest life; 0: no limit
  UniqueFd socket;
  std::string response_head;  ///< written before the first event
  std::unique_ptr<net::AddressLimiter::Ticket> ticket;
};

/// A snapshot of a connection for those who ask.
struct ConnectionInfo {
  ConnectionId id;
  Identity identity;
  ChannelName channel;
  std::vector<std::string> listeners;
  Attributes attributes;
  WallTime created;
  std::chrono::milliseconds keepalive{0};
  std::optional<WallTime> last_request;
  std::uint64_t messages = 0;          ///< events taken into the stream
  std::uint64_t request_messages = 0;  ///< `message/….do` calls
  std::uint64_t request_uploads = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t backlog_bytes = 0;
};

/// One open stream and who it belongs to. Belongs to its shard; loop thread only.
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
    bool waiting = false;                    // for the stream to drain, before it goes on
  };

  Connection(ConnectionId connection_id, net::EventLoop& loop, net::StreamOwner& owner,
             const net::Stream::Limits& limits, UniqueFd socket)
      : net::Stream(loop, owner, limits, std::move(socket)), id(connection_id) {}

  bool listens(std::string_view event) const { return listeners->find(event) != listeners->end(); }

  const ConnectionId id;
  Membership membership;
  const ListenerSet* listeners = nullptr;
  std::unique_ptr<char[]> attributes;  // Attributes::pack()
  std::uint32_t attributes_size = 0;
  std::uint32_t keepalive_millis = 0;
  WallTime created;
  SteadyTime expires = SteadyTime::max();    // by its keepaliveTime
  SteadyTime finish_by = SteadyTime::max();  // of a stream that is being ended
  MessageId replayed_through;
  std::unique_ptr<Replay> replay;
  std::unique_ptr<net::AddressLimiter::Ticket> ticket;
  // Whose it was, for confirmations that arrive while a stream that has left the indexes is written out.
  std::unique_ptr<std::array<std::string, kIndexes>> former_names;
  std::int64_t last_request_millis = 0;
  std::uint32_t messages = 0;
  std::uint32_t request_messages = 0;
  std::uint32_t request_uploads = 0;
  bool indexed = false;
  bool awaiting_ack = false;  // in the shard's list of those
};

}  // namespace sse::hub
