#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "event/json.h"
#include "event/target.h"

/// The requests and responses of the admin API as values. `lib/admin/openapi.json` is the contract; documents that are
/// only passed on (connections, messages, status) stay JSON.
namespace sse::api {

using event::Json;

inline constexpr std::string_view kDefaultEvent = "server-push";
inline constexpr std::uint64_t kMaxPageSize = 10000;
/// A hundred years, longer than any session.
inline constexpr std::int64_t kMaxDurationSeconds = 100LL * 366 * 24 * 3600;
inline constexpr std::chrono::minutes kMaxConfirmationWait{10};
inline constexpr std::size_t kMaxKeyBytes = 256;

/// The extra fields of a line with a dead letter of another server; times in milliseconds since 1970.
struct DeadLetterFields {
  std::int64_t created = 0;
  std::int64_t expires = 0;
  std::int64_t died = 0;
  std::uint64_t attempts = 0;
};

struct SendRequest {
  ServiceName service;  ///< empty: the only one hosted
  event::Target target;
  std::string event = std::string(kDefaultEvent);
  std::string data;
  bool qos = false;
  std::optional<std::chrono::milliseconds> ttl;  ///< with qos; empty: the server's default
  std::string key{};       ///< with qos; `id` in JSON: a repeated request with this key is the same message
  std::string collapse{};  ///< with qos: replaces a recipient's pending message with the same key
  bool notify = false;     ///< with qos: the application learns what becomes of it, see DeliveryReport
  std::optional<std::chrono::milliseconds> wait{};  ///< with qos: respond when confirmed, or after this time
  std::optional<DeadLetterFields> dead{};           ///< for an import: stored as a dead letter, not sent
  std::vector<event::Target> also{};                ///< further recipients, in `target` in JSON; a stream gets it once
  std::string except{};       ///< without qos: clientId or clientInstanceId of streams that do not get it
  std::string traceparent{};  ///< W3C Trace Context, a header of the request; empty: none
};

struct SendResult {
  struct Recipient {
    event::TargetKind kind = event::TargetKind::kAll;
    std::string name;
    std::uint64_t delivered = 0;
    std::string state{};   ///< after a wait: `confirmed`, `in-flight`, `waiting`, `not-listening`, `offline`, …
    std::string tenant{};  ///< of a user, when the request named a tenant
  };

  MessageId id;
  std::uint64_t delivered = 0;  ///< connections that accepted the event into their stream
  std::uint64_t pending = 0;    ///< recipients for whom it was stored
  bool repeated = false;        ///< the key was known, so that nothing was sent
  std::vector<Recipient> recipients;
};

/// REQUIRES: either ids or a target.
struct CloseRequest {
  ServiceName service;
  std::vector<ConnectionId> ids;
  std::optional<event::Target> target;
};

/// Empty fields match everything.
struct ConnectionQuery {
  ServiceName service;
  std::string user, tenant, token, channel, listening, client;
  std::string name;      ///< a part of the user's name
  std::string prefix{};  ///< of channels: what their names begin with
  std::string sort;      ///< see openapi.json; empty: the default order of the listing
  bool reverse = false;
  std::vector<std::pair<std::string, std::string>> attributes{};  ///< names and values of parameters
};
/// Sets or clears a session duration. Either ids, or a target of users or tokens.
struct DurationRequest {
  ServiceName service;
  std::vector<ConnectionId> ids;
  std::optional<event::Target> target;
  std::int64_t seconds = 0;                      ///< the duration to set
  std::optional<std::chrono::milliseconds> ttl;  ///< how long it is stored for an offline user
};
/// Selects the session durations to read: exactly one of user, token and connection.
struct DurationQuery {
  ServiceName service;
  std::string user, token;
  ConnectionId connection;
};
/// Creates a ticket for a user.
struct TicketRequest {
  ServiceName service;  ///< empty: the only one hosted
  std::string user;     ///< not empty
  std::string tenant{}, token{};
  std::string profile{};                         ///< JSON text; empty: none
  std::vector<std::string> channels{};           ///< names and patterns of channels that the user may join
  std::optional<std::chrono::milliseconds> ttl;  ///< empty: the default
};
struct ExplainQuery {
  ServiceName service;
  std::vector<std::string> users;
  std::string tenant, token, channel, event;
  bool listening = false;
  std::uint64_t size = 0;  ///< bytes of the event; 0: ignored
};
/// Asks whether a user may join channels. With a token the user is that of the token, and its claims count, too.
struct ChannelQuery {
  static constexpr std::size_t kMaxChannels = 100;

  std::string user, tenant, token;
  std::vector<std::string> channels;  ///< 1 to kMaxChannels names
};
struct ClosedQuery {
  ServiceName service;
  std::string user, reason;
};
struct MessageQuery {
  ServiceName service;
  std::string kind, recipient, event;
  std::string tenant{};  ///< with kind `user` and a recipient: the tenant of that user
};

struct EventQuery {
  ServiceName service;
  std::string user;
  std::string type;  ///< several types are separated by commas
  std::optional<std::uint64_t> last;
  std::string since{};  ///< the cursor of an activity event: only later ones; empty: see `last`
};

struct Page {
  std::uint64_t number = 1;  ///< from 1
  std::uint64_t size = 100;  ///< 1 to kMaxPageSize
};

/// The from_json functions throw Error(kInvalidArgument) that names the field that is unknown, missing or of the wrong
/// type. `data` that is not a string is replaced by its JSON text.
Json to_json(const SendRequest& request);
SendRequest send_request_from_json(const Json& json);

Json to_json(const SendResult& result);
/// Ignores unknown fields, which a newer server may send.
SendResult send_result_from_json(const Json& json);

Json to_json(const CloseRequest& request);
CloseRequest close_request_from_json(const Json& json);

/// `with_seconds`: the request sets a duration; otherwise it clears one and must not contain seconds.
Json to_json(const DurationRequest& request, bool with_seconds);
DurationRequest duration_request_from_json(const Json& json, bool with_seconds);

Json to_json(const ChannelQuery& query);
ChannelQuery channel_query_from_json(const Json& json);
Json to_json(const TicketRequest& request);
TicketRequest ticket_request_from_json(const Json& json);

using QueryParameters = std::vector<std::pair<std::string, std::string>>;

/// The query parameters of the fields that are set.
QueryParameters parameters(const ConnectionQuery& query, const Page& page);
QueryParameters parameters(const ClosedQuery& query, const Page& page);
QueryParameters parameters(const MessageQuery& query, const Page& page);
QueryParameters parameters(const DurationQuery& query);
QueryParameters parameters(const ExplainQuery& query, const Page& page);
QueryParameters parameters(const EventQuery& query);
QueryParameters parameters(const MessageQuery& query);

}  // namespace sse::api
