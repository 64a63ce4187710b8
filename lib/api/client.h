#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/change_request.h"
#include "api/types.h"
#include "base/ids.h"

namespace sse::api {

/// A request that is forwarded over the cluster instead of a connection of the client, and its response.
struct ForwardedRequest {
  std::string method;
  std::string target;  ///< path and query
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};
struct ForwardedResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};
/// Forwards a request. Throws Error when there is no response within the timeout.
using RequestForwarder = std::function<ForwardedResponse(const ForwardedRequest&, std::chrono::milliseconds)>;

struct ClientOptions {
  std::string address;                       ///< `unix:PATH`, `http[s]://HOST:PORT`; when forwarding, for errors only
  std::string token;                         ///< bearer token; empty: no token is sent
  std::chrono::milliseconds timeout{10000};  ///< for connecting, and again for the whole response
  bool local = false;                        ///< in a cluster: limits the request to this server
  RequestForwarder forwarder{};              ///< not null: every request is forwarded
  /// Called with the nodes of a cluster that are missing in a response.
  std::function<void(const std::vector<std::string>&)> on_missing{};
};

class Transport;

/// A client of the admin API of one server, over cpp-httplib with one connection for each call. Blocks. One thread at a
/// time.
///
/// Every call returns the JSON document of the response, or throws Error:
///   - kUnavailable when the server does not respond, or is not sse-serve, with advice;
///   - kTimeout when no response came in time: the request may have been processed nevertheless;
///   - the code and the sentence of the server's problem document (RFC 9457).
class Client {
 public:
  /// Does not connect yet. Throws Error(kInvalidArgument) for an invalid address or token.
  explicit Client(ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Json status();
  Json send(const SendRequest& request);

  Json list_connections(const ConnectionQuery& query, const Page& page);
  /// Closed streams, newest first.
  Json list_closed(const ClosedQuery& query, const Page& page);
  Json show_connection(ConnectionId id, const ServiceName& service);
  Json change_connection(const ChangeRequest& request);
  /// `{"closed": n}`
  Json close_connections(const CloseRequest& request);

  /// Pages as described in openapi.json.
  Json list_users(const ConnectionQuery& query, const Page& page);
  Json list_user_ids(const ConnectionQuery& query, const Page& page);
  /// The tenants, channels or tokens (masked) of connections, with counts. REQUIRES: `kind` is one of these three.
  Json list_names(event::TargetKind kind, const ConnectionQuery& query, const Page& page);
  /// The members of a channel and what is known about it, as described in openapi.json. Throws Error(kNotFound) when no
  /// stream is in it.
  Json show_channel(const ChannelName& channel, const ServiceName& service);
  /// Throws Error(kNotFound) when the user is offline.
  Json show_user(const UserId& user, const ServiceName& service);
  Json explain(const ExplainQuery& query, const Page& page);
  /// `{"user": …, "tenant": …, "list": […]}`, an entry for each channel. Throws Error(kNotFound) for a server of
  /// version 0.1.
  Json explain_channels(const ChannelQuery& query);

  Json read_durations(const DurationQuery& query);
  Json set_durations(const DurationRequest& request);
  Json clear_durations(const DurationRequest& request);

  /// `{"ticket": …, "service": …, "user": …, "expireTime": …}`
  Json create_ticket(const TicketRequest& request);

  /// `{"list": […], "cluster": …, "degraded": …}`
  Json list_nodes();
  /// `{"node": …, "rate": …, "streams": n}`; `rate` is in streams a second.
  Json drain_node(const std::string& node, std::uint64_t rate);
  /// `{"node": …, "state": "ready"}`
  Json undrain_node(const std::string& node);
  /// Sends one request for each line. Returns one response for each, in the same order: results, or problems with a
  /// `status`. `traceparent`: as SendRequest::traceparent, of all.
  std::vector<Json> send_lines(const std::string& ndjson, const std::string& traceparent = "");

  Json list_messages(const MessageQuery& query, const Page& page);
  /// `{"list": […]}`, a row for every recipient that has not acknowledged the message.
  Json show_message(MessageId id);
  /// `{"deleted": n}`
  Json delete_message(MessageId id);
  /// Deletes all matching messages. `{"deleted": n}`
  Json purge_messages(const MessageQuery& query);
  /// `{"delivered": n}`
  Json retry_message(MessageId id);
  /// `{"id": …, "list": […]}`
  Json trace_message(MessageId id);
  struct ExportPage {
    std::string lines;                   ///< send requests, one a line; may be empty although more pages follow
    bool complete = false;               ///< no page follows
    MessageId last;                      ///< the `after` of the next page
    std::optional<std::uint64_t> total;  ///< only on the first page: all messages, omitted ones included
    std::uint64_t expired = 0;           ///< omitted because their ttl is over
    std::uint64_t damaged = 0;           ///< omitted because they cannot be read
    std::vector<std::string> missing{};  ///< nodes that did not respond: their messages are not included
  };
  /// The page after message `after`; the first page for an invalid id. `dead`: of dead letters.
  ExportPage export_messages(const MessageQuery& query, MessageId after, bool dead = false);

  Json list_dead(const MessageQuery& query, const Page& page);
  /// Requeues the dead letters of a message, or with an invalid id all matching ones. `{"ids": […]}`
  Json requeue_dead(MessageId id, const MessageQuery& query);
  /// `{"deleted": n}`
  Json purge_dead(MessageId id, const MessageQuery& query);

  /// Recent activity events: `{"list": […]}`, oldest first.
  Json list_events(const EventQuery& query);
  /// New activity events, one at a time, until `on_event` returns false or the server closes the response
  /// (kUnavailable). `on_open`, which may be empty, gets the cursor from which they begin, once the server has
  /// accepted; empty from an older server.
  void follow_events(const EventQuery& query, const std::function<bool(const Json&)>& on_event,
                     const std::function<void(const std::string& cursor)>& on_open = {});

 private:
  std::unique_ptr<Transport> transport_;
};

}  // namespace sse::api
