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

struct SendRequest {
  ServiceName service;  ///< empty: the only one hosted
  event::Target target;
  std::string event = std::string(kDefaultEvent);
  std::string data;
  bool qos = false;
  std::optional<std::chrono::milliseconds> ttl;  ///< with qos; none: the server's default
};

struct SendResult {
  struct Recipient {
    event::TargetKind kind = event::TargetKind::kAll;
    std::string name;
    std::uint64_t delivered = 0;
  };

  MessageId id;
  std::uint64_t delivered = 0;  ///< connections that took the event into their stream
  std::uint64_t pending = 0;    ///< recipients it was committed for
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
};
struct ClosedQuery {
  ServiceName service;
  std::string user, reason;
};
struct MessageQuery {
  ServiceName service;
  std::string kind, recipient, event;
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

using QueryParameters = std::vector<std::pair<std::string, std::string>>;

/// Only the fields that are set.
QueryParameters parameters(const ConnectionQuery& query, const Page& page);
QueryParameters parameters(const ClosedQuery& query, const Page& page);
QueryParameters parameters(const MessageQuery& query, const Page& page);

}  // namespace sse::api
