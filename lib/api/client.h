#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/types.h"
#include "base/ids.h"

namespace sse::api {

/// A request that goes another way than over a connection of its own, and its answer.
struct CarriedRequest {
  std::string method;
  std::string target;  ///< path and query
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};
struct CarriedResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};
/// Throws Error where there is no answer within the time given.
using Carrier = std::function<CarriedResponse(const CarriedRequest&, std::chrono::milliseconds)>;

struct ClientOptions {
  std::string address;                       ///< `unix:PATH`, `http[s]://HOST:PORT`; with a carrier, for messages only
  std::string token;                         ///< bearer token; empty: none is sent
  std::chrono::milliseconds timeout{10000};  ///< for connecting, and again for the whole answer
  bool local = false;                        ///< in a cluster: what this server knows and does alone
  Carrier carrier{};                         ///< not null: takes every request
  /// Told which nodes of a cluster an answer is without.
  std::function<void(const std::vector<std::string>&)> on_missing{};
};

/// Calls the admin API of one server over cpp-httplib, a connection a call. Blocks. One thread at a time.
///
/// Every call returns the JSON document the server answered with and throws Error otherwise:
///   - kUnavailable when nothing answers there, or something that is not sse-serve does, with advice;
///   - kTimeout when no answer came in time: what was asked may have been done nevertheless;
///   - what the server said in a problem document (RFC 9457): its code and its sentence.
class Client {
 public:
  /// Connects to nothing yet. Throws Error(kInvalidArgument) for an address or token that cannot be.
  explicit Client(ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Json status();
  Json send(const SendRequest& request);

  Json list_connections(const ConnectionQuery& query, const Page& page);
  /// Streams that have ended, newest first.
  Json list_closed(const ClosedQuery& query, const Page& page);
  Json show_connection(ConnectionId id, const ServiceName& service);
  /// `{"closed": n}`
  Json close_connections(const CloseRequest& request);

  /// Pages of what openapi.json describes.
  Json list_users(const ConnectionQuery& query, const Page& page);
  Json list_user_ids(const ConnectionQuery& query, const Page& page);
  /// The tenants, channels or tokens (masked) of connections, with counts. REQUIRES: `kind` is one of these.
  Json list_names(event::TargetKind kind, const ConnectionQuery& query, const Page& page);
  /// Throws Error(kNotFound) when the user is offline.
  Json show_user(const UserId& user, const ServiceName& service);
  Json explain(const ExplainQuery& query, const Page& page);

  Json read_durations(const DurationQuery& query);
  Json set_durations(const DurationRequest& request);
  Json clear_durations(const DurationRequest& request);

  /// `{"list": […], "cluster": …, "degraded": …}`
  Json list_nodes();
  /// `{"node": …, "rate": …, "streams": n}`; streams a second.
  Json drain_node(const std::string& node, std::uint64_t rate);
  /// A send request a line; the answers, one for each, in their order: results, or problems with a `status`.
  std::vector<Json> send_lines(const std::string& ndjson);

  Json list_messages(const MessageQuery& query, const Page& page);
  /// `{"list": […]}`, a row for every recipient that has not confirmed.
  Json show_message(MessageId id);
  /// `{"deleted": n}`
  Json delete_message(MessageId id);
  /// All that match. `{"deleted": n}`
  Json purge_messages(const MessageQuery& query);
  /// `{"delivered": n}`
  Json retry_message(MessageId id);
  /// `{"id": …, "list": […]}`
  Json trace_message(MessageId id);
  struct ExportPage {
    std::string lines;                   ///< send requests, a line each; may be empty while more follows
    bool complete = false;               ///< nothing follows
    MessageId last;                      ///< what to go on behind
    std::optional<std::uint64_t> total;  ///< of the first page: how many there are, left out ones included
    std::uint64_t expired = 0;           ///< left out, as their time is over
    std::uint64_t damaged = 0;           ///< left out, as they cannot be read
    std::vector<std::string> missing{};  ///< nodes that did not answer: what they hold is not in it
  };
  /// The page behind `after`; the first one for an invalid id. `dead`: of dead letters.
  ExportPage export_messages(const MessageQuery& query, MessageId after, bool dead = false);

  Json list_dead(const MessageQuery& query, const Page& page);
  /// Those of a message, or with an invalid id all that match. `{"ids": […]}`
  Json requeue_dead(MessageId id, const MessageQuery& query);
  /// `{"deleted": n}`
  Json purge_dead(MessageId id, const MessageQuery& query);

  /// What happened lately: `{"list": […]}`, oldest first.
  Json list_events(const EventQuery& query);
  /// What happens from now on, one at a time, until `on_event` returns false or the server ends it (kUnavailable).
  void follow_events(const EventQuery& query, const std::function<bool(const Json&)>& on_event);

 private:
  class Transport;
  std::unique_ptr<Transport> transport_;
};

}  // namespace sse::api
