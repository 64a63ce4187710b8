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

/// The admin API's requests and answers as values. `lib/gateway/openapi.json` is the contract; what is only passed
/// through to the reader (connections, messages, status) stays JSON.
namespace sse::api {

using event::Json;

inline constexpr std::string_view kDefaultEvent = "server-push";
inline constexpr std::uint64_t kMostPageSize = 10000;
/// A hundred years, more than any session lasts.
inline constexpr std::int64_t kMostDurationSeconds = 100LL * 366 * 24 * 3600;
inline constexpr std::chrono::minutes kLongestWait{10};
inline constexpr std::size_t kMostKeyBytes = 256;

/// Of a line that is the dead letter of another server; times in milliseconds since 1970.
struct DeadLine {
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
  std::optional<std::chrono::milliseconds> ttl;  ///< with qos; none: the server's default
  std::string key{};       ///< with qos; `id` in JSON: another request with it is the same message
  std::string collapse{};  ///< with qos: takes the place of what a recipient has pending with this word
  std::optional<std::chrono::milliseconds> wait{};  ///< with qos: answer when confirmed, or after so long
  std::optional<DeadLine> dead{};                   ///< of an import: kept as a dead letter, not sent
};

struct SendResult {
  struct Recipient {
    event::TargetKind kind = event::TargetKind::kAll;
    std::string name;
    std::uint64_t delivered = 0;
    std::string state{};   ///< after a wait: `confirmed`, `in-flight`, `waiting`, `not-listening`, `offline`, …
    std::string tenant{};  ///< of a user, where the send named one
  };

  MessageId id;
  std::uint64_t delivered = 0;  ///< connections that took the event into their stream
  std::uint64_t pending = 0;    ///< recipients it was committed for
  bool repeated = false;        ///< the key was known; nothing was sent
  std::vector<Recipient> recipients;
};

/// Either ids or a target.
struct CloseRequest {
  ServiceName service;
  std::vector<ConnectionId> ids;
  std::optional<event::Target> target;
};

/// Empty fields match everything.
struct ConnectionQuery {
  ServiceName service;
  std::string user, tenant, token, channel, listening, client;
  std::string name;  ///< part of the user's name
  std::string sort;  ///< see openapi.json; empty: what each listing sorts by
  bool reverse = false;
};
/// What to say about a session duration. Either ids, or a target of users or tokens.
struct DurationRequest {
  ServiceName service;
  std::vector<ConnectionId> ids;
  std::optional<event::Target> target;
  std::int64_t seconds = 0;                      ///< to set
  std::optional<std::chrono::milliseconds> ttl;  ///< how long it waits for somebody who is offline
};
/// Whose session durations to read: one of these.
struct DurationQuery {
  ServiceName service;
  std::string user, token;
  ConnectionId connection;
};
struct ExplainQuery {
  ServiceName service;
  std::vector<std::string> users;
  std::string tenant, token, channel, event;
  bool listening = false;
  std::uint64_t size = 0;  ///< bytes of the event; 0: does not matter
};
struct ClosedQuery {
  ServiceName service;
  std::string user, reason;
};
struct MessageQuery {
  ServiceName service;
  std::string kind, recipient, event;
  std::string tenant{};  ///< with kind `user` and a recipient: that user of this tenant
};

struct EventQuery {
  ServiceName service;
  std::string user;
  std::string type;  ///< several separated by commas
  std::optional<std::uint64_t> last;
};

struct Page {
  std::uint64_t number = 1;  ///< from 1
  std::uint64_t size = 100;  ///< 1 to kMostPageSize
};

/// The from_json functions throw Error(kInvalidArgument) that names the field: unknown, missing or of the wrong type.
/// `data` that is no string is taken as its JSON text.
Json to_json(const SendRequest& request);
SendRequest send_request_from_json(const Json& json);

Json to_json(const SendResult& result);
/// Fields a newer server may add are ignored.
SendResult send_result_from_json(const Json& json);

Json to_json(const CloseRequest& request);
CloseRequest close_request_from_json(const Json& json);

/// `with_seconds`: the request sets a duration; otherwise it clears one and must not say any.
Json to_json(const DurationRequest& request, bool with_seconds);
DurationRequest duration_request_from_json(const Json& json, bool with_seconds);

using QueryParameters = std::vector<std::pair<std::string, std::string>>;

/// Only the fields that are set.
QueryParameters parameters(const ConnectionQuery& query, const Page& page);
QueryParameters parameters(const ClosedQuery& query, const Page& page);
QueryParameters parameters(const MessageQuery& query, const Page& page);
QueryParameters parameters(const DurationQuery& query);
QueryParameters parameters(const ExplainQuery& query, const Page& page);
QueryParameters parameters(const EventQuery& query);
QueryParameters parameters(const MessageQuery& query);

}  // namespace sse::api
