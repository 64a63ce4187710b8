#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "event/frame.h"
#include "event/target.h"
#include "hub/channel_catch_up.h"
#include "hub/client_key.h"
#include "hub/names.h"
#include "net/stream.h"

namespace sse::hub {

/// Requests a page of the pending messages of a connection.
struct ReplayRequest {
  ConnectionId connection;
  std::size_t shard = 0;
  Names recipients;
  MessageId after;                       ///< only messages with a greater id
  std::vector<std::string> only_events;  ///< not empty: only messages for listeners of these events
  /// Set: also the retained events of this channel, with the messages between them in their order.
  std::optional<ChannelCatchUp> history{};
};

/// A pending message to replay into a stream; or an event that is no message, or has a position: of the history.
struct ReplayFrame {
  event::FrameRef frame;
  std::string event;
  bool listening = false;
  MessageId position{};  ///< RetainedEvent::position
};

/// The answer to a ReplayRequest.
struct ReplayPage {
  std::vector<ReplayFrame> frames;  ///< ascending by message id or position
  MessageId through;                ///< the largest id read, also of messages that are not in `frames`
  bool last = true;                 ///< nothing is left after this page
  bool failed = false;              ///< the store could not be read, or not completely: to be requested again
  MessageId history_through{};      ///< the retained events up to here were read
};

/// Callbacks of the hub into the module above it (delivery). Called on loop threads: must be quick, must not block, and
/// must not call back into the hub synchronously.
class HubDelegate {
 public:
  /// The hub needs the connection's pending messages: answer later through Hub::replay(). Returns false when there are
  /// none and no call will follow.
  virtual bool request_replay(const ReplayRequest& request) = 0;
  /// The client of the recipient, or its TCP, has acknowledged the message it got on `connection`.
  virtual void acknowledged(event::TargetKind kind, std::string_view name, MessageId message,
                            ConnectionId connection) = 0;
  /// The store still has a message for the recipient that a client here has confirmed: the confirmation has not reached
  /// the store yet, or was lost, for example with the node that should record it.
  virtual void acknowledged_before(event::TargetKind /*kind*/, std::string_view /*name*/, MessageId) {}
  /// A message went into a stream.
  virtual void sent(event::TargetKind, std::string_view /*name*/, MessageId, ConnectionId) {}
  /// A stream with messages has ended, or is about to: its unconfirmed messages count as lost.
  virtual void stream_ended(ConnectionId, net::CloseReason) {}

  /// Only in_cluster. A stream with these names is about to be registered; the delegate calls `proceed` once, on any
  /// thread, to continue. left() follows every opening(), also when the stream could not be opened.
  virtual void opening(const Names& /*names*/, std::function<void()> proceed) {
    proceed();
  }  // NOLINT: overrides store it
  virtual void left(const Names& /*names*/) {}
  /// Only in_cluster. A stream of this client has opened; with its streams on other nodes the client may be over
  /// client_max_connections.
  virtual void client_opened(const ClientKey& /*client*/, ConnectionId) {}

 protected:
  ~HubDelegate() = default;
};

}  // namespace sse::hub
