#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "api/types.h"
#include "base/ids.h"

namespace sse::api {

struct ClientOptions {
  std::string address;                       ///< `unix:PATH` or `http://HOST:PORT`
  std::string token;                         ///< bearer token; empty: none is sent
  std::chrono::milliseconds timeout{10000};  ///< for connecting, and again for the whole answer
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

  Json list_messages(const MessageQuery& query, const Page& page);
  /// `{"list": […]}`, a row for every recipient that has not confirmed.
  Json show_message(MessageId id);
  /// `{"deleted": n}`
  Json delete_message(MessageId id);

 private:
  class Transport;
  std::unique_ptr<Transport> transport_;
};

}  // namespace sse::api
