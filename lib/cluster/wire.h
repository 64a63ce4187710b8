#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "event/frame.h"
#include "event/target.h"

namespace sse::cluster {

/// An event on its way to the connections of one name.
struct DeliverCommand {
  ServiceName service;
  event::TargetKind kind = event::TargetKind::kAll;
  std::string name;  ///< empty for kAll
  bool listening = false;
  std::string event;
  event::FrameRef frame;  ///< encoded once, by the node it was sent at; not null
  bool again = false;     ///< also for streams that have had it
};

/// Where a request is to be handled: as one to a page's service or to the admin API, by that node alone; or as one to
/// the admin API of the whole cluster, which a program without a server sends.
enum class Door : unsigned char { kPages, kAdmin, kCluster };

/// An HTTP request that one node passes on to another, as the front would give it to httplib; its answer is the raw
/// response.
struct RequestCommand {
  Door door = Door::kAdmin;
  std::string peer;  ///< address of the client; empty where it came over a unix socket
  std::string request;
  std::string body{};  ///< not empty: `request` is the head alone, and its body came as the transfer of that name
};

/// A piece of the body of a request that follows, behind the pieces before it. The answer is kBodyTaken, or an HTTP
/// status, a blank and one sentence that says why the body is refused.
struct BodyCommand {
  std::string transfer;      ///< unique in the cluster
  std::uint64_t offset = 0;  ///< of this piece
  std::uint64_t total = 0;   ///< bytes of the whole body
  std::string bytes;
};
inline constexpr std::string_view kBodyTaken = "taken";
/// Redis cuts off a subscriber whose backlog is more than 32 MB by default, and a mesh posts 4 MiB at a time: bodies of
/// any size pass between events, in pieces of so many bytes.
inline constexpr std::size_t kBodyPiece = std::size_t{256} << 10;

/// Which streams of one client are open? Goes to those who hold one of its user; the answer is encode_ids().
struct ClientCommand {
  ServiceName service;
  std::string user, client, origin, tenant;
};

/// Close these streams: their client has too many, and younger ones.
struct ReplaceCommand {
  ServiceName service;
  std::vector<ConnectionId> ids;
};

/// Where is this pending message? Goes to those who hold a stream of its recipient; the answer is encode_place().
struct LocateCommand {
  ServiceName service;
  event::TargetKind kind = event::TargetKind::kAll;
  std::string name;
  MessageId message;
  std::string event;
  bool listening = false;
};
struct Place {
  std::uint64_t state = 0;  ///< as hub::Whereabouts::State; the larger wins
  ConnectionId connection;  ///< where it is in flight; the younger wins
};

/// What one node's MeshRepository asks of others'.
struct StoreCommand {
  std::string bytes;
};

/// Events, which are many, as one line of words, `deliver KIND LISTENING MESSAGE` and the sizes of service, name and
/// event name, and behind it those and the frame. All others as one line of compact JSON and, behind it, the bytes as
/// they are.
std::string encode(const DeliverCommand& command);
std::string encode(const RequestCommand& command);
std::string encode(const BodyCommand& command);
std::string encode(const ClientCommand& command);
std::string encode(const ReplaceCommand& command);
std::string encode(const LocateCommand& command);
std::string encode(const StoreCommand& command);

using AnyCommand = std::variant<DeliverCommand, RequestCommand, BodyCommand, ClientCommand, ReplaceCommand,
                                LocateCommand, StoreCommand>;
/// Throws Error(kInvalidArgument) for what no node of this version sends.
AnyCommand decode(std::string_view bytes);

/// `1,2,3`; what makes no sense in it is left out.
std::string encode_ids(const std::vector<ConnectionId>& ids);
std::vector<ConnectionId> decode_ids(std::string_view text);

/// `STATE CONNECTION`, both as numbers.
std::string encode_place(const Place& place);
/// Nothing for what makes no sense.
std::optional<Place> decode_place(std::string_view text);

}  // namespace sse::cluster
