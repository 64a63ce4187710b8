#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/trace_context.h"
#include "event/frame.h"
#include "event/target.h"

namespace sse::cluster {

/// An event for the connections of one name; the reply is encode_taken().
struct DeliverCommand {
  ServiceName service;
  event::TargetKind kind = event::TargetKind::kAll;
  std::string name;  ///< empty for kAll
  bool listening = false;
  std::string event;
  event::FrameRef frame;  ///< encoded once, by the node that accepted it; not null
  bool again = false;     ///< also for streams that already received it
  bool several = false;   ///< one of several channels to which the event is sent: a stream in two of them gets it once
  bool in_union = false;  ///< for users, tenants and others, too: a stream that several of them reach gets it once
  std::string of_tenant{};              ///< of a channel: only the streams of users of this tenant; empty: of all
  std::string except{};                 ///< clientId or clientInstanceId of streams that do not get it; empty: all do
  std::optional<TraceContext> trace{};  ///< of the request that sent it
};

/// What a request is: one of a page to its service, which that node alone handles, or one to the admin API of the whole
/// cluster, which a program without a server sends.
enum class RequestEntry : unsigned char { kPages, kCluster };

/// An HTTP request of a page or a program, in the form that the front end passes to httplib; the reply is the raw
/// response.
struct RequestCommand {
  RequestEntry entry = RequestEntry::kPages;
  std::string peer;  ///< address of the client; empty for a unix socket
  std::string request;
  std::string body{};  ///< not empty: `request` is only the head, and this transfer carried its body
};

/// A request of one node to the others, each for its part of what the admin API shows or changes.
struct AdminCommand {
  std::string operation;                                          ///< see admin/node_operations.h
  std::string id{};                                               ///< of the object that it is about; empty: none
  std::string peer{};                                             ///< address of the client; empty for a unix socket
  std::vector<std::pair<std::string, std::string>> parameters{};  ///< names may repeat
  std::string document{};                                         ///< JSON; empty: none
};

/// The reply to an AdminCommand.
struct AdminReply {
  /// Where a page of an export ends.
  struct ExportEnd {
    bool complete = false;    ///< there are no further messages
    std::uint64_t last = 0;   ///< id of the last message; 0: none
    std::uint64_t total = 0;  ///< messages in all, on the first page
  };

  int status = 0;                         ///< as the HTTP status of the admin API; 0: the bytes were not a reply
  std::optional<ExportEnd> export_end{};  ///< of the operations that export messages
  std::string document{};                 ///< JSON, the problem document of a refusal, or the lines of an export
};

/// A chunk of the body of a request that follows, in order. The reply is kBodyTaken, or an HTTP status, a space and one
/// sentence that says why the body is refused.
struct BodyCommand {
  std::string transfer;      ///< unique in the cluster
  std::uint64_t offset = 0;  ///< of this chunk
  std::uint64_t total = 0;   ///< bytes of the whole body
  std::string bytes;
};
inline constexpr std::string_view kBodyTaken = "taken";
/// The size of a chunk. Redis disconnects a subscriber whose backlog exceeds 32 MB by default, and a mesh posts at most
/// 4 MiB at a time: in chunks, bodies of any size pass between events.
inline constexpr std::size_t kBodyPiece = std::size_t{256} << 10;

/// Queries the open streams of one client. Sent to nodes with a stream of its user; the reply is encode_ids().
struct ClientCommand {
  ServiceName service;
  std::string user, client, origin, tenant;
};

/// Closes these streams, because their client has too many and newer ones.
struct ReplaceCommand {
  ServiceName service;
  std::vector<ConnectionId> ids;
};

/// Queries the state of a pending message. Sent to nodes with a stream of its recipient; the reply is encode_place().
struct DeliveryStateCommand {
  ServiceName service;
  event::TargetKind kind = event::TargetKind::kAll;
  std::string name;
  MessageId message;
  std::string event;
  bool listening = false;
};
struct Place {
  std::uint64_t state = 0;  ///< as hub::DeliveryState::State; the larger takes precedence
  ConnectionId connection;  ///< where it is in flight; the newer takes precedence
};

/// A query of one node's MeshRepository to those of others.
struct StoreCommand {
  std::string bytes;
};

/// What a node tells another one about the members of channels, or asks; see presence/peer_messages.h. The reply is
/// empty.
struct PresenceCommand {
  std::string bytes;
};

/// Events are frequent, so they are encoded compactly: one line of words, `deliver KIND FLAGS MESSAGE` and the sizes of
/// service, name and event name, followed by those three and the frame. Optional words stand at the end of the line,
/// percent-encoded: `tenant=NAME`, `except=CLIENT` and `trace=TRACEPARENT`. All other commands are one line of compact
/// JSON, followed by the bytes unchanged.
std::string encode(const DeliverCommand& command);
std::string encode(const RequestCommand& command);
std::string encode(const AdminCommand& command);
std::string encode(const BodyCommand& command);
std::string encode(const ClientCommand& command);
std::string encode(const ReplaceCommand& command);
std::string encode(const DeliveryStateCommand& command);
std::string encode(const StoreCommand& command);
std::string encode(const PresenceCommand& command);

using AnyCommand = std::variant<DeliverCommand, RequestCommand, AdminCommand, BodyCommand, ClientCommand,
                                ReplaceCommand, DeliveryStateCommand, StoreCommand, PresenceCommand>;
/// Throws Error(kInvalidArgument) for bytes that no node of this version sends.
AnyCommand decode(std::string_view bytes);

/// The reply to a DeliverCommand: the number of streams that took the event.
std::string encode_taken(std::uint32_t streams);
/// 0 if the text is invalid.
std::uint32_t decode_taken(std::string_view text);

/// One line of JSON, followed by the document unchanged.
std::string encode(const AdminReply& reply);
/// The reply that an error is, with its problem document (RFC 9457).
AdminReply refusal_reply(ErrorCode code, const std::string& sentence);
/// The status is 0 if no node sends such bytes.
AdminReply decode_admin_reply(std::string_view bytes);

/// The reply to a ClientCommand: `1,2,3`; invalid ids are skipped.
std::string encode_ids(const std::vector<ConnectionId>& ids);
std::vector<ConnectionId> decode_ids(std::string_view text);

/// The reply to a DeliveryStateCommand: `STATE CONNECTION`, both as numbers.
std::string encode_place(const Place& place);
/// Returns nullopt if the text is invalid.
std::optional<Place> decode_place(std::string_view text);

}  // namespace sse::cluster
