#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sse-server/authenticator.h"
#include "sse-server/callbacks.h"
#include "sse-server/components.h"
#include "sse-server/connection.h"
#include "sse-server/error.h"
#include "sse-server/export.h"
#include "sse-server/options.h"
#include "sse-server/send.h"
#include "sse-server/target.h"
#include "sse-server/ticket.h"

namespace sse {

namespace delivery {
class Sender;
}
namespace auth {
class Tickets;
}

/// The version of the library, such as `0.2.0`.
SSE_API std::string_view version();

/// A service of a running server: sends events and shows the connections. A handle: copies refer to the same service.
/// Valid as long as its server exists.
///
/// Thread safe; every callback may use it. In a cluster, sends reach the streams of all nodes; everything else is about
/// the streams of this node. The functions wait for the event loops of the server, unless they say otherwise: they
/// throw Error(kUnavailable) while it does not run, and Error(kInternal) on the thread of a loop.
class SSE_API Service {
 public:
  /// The name in ServerOptions::services.
  std::string name() const;

  /// Sends an event; returns when it is in the streams, and with qos committed. Throws Error, with nothing sent:
  /// kInvalidArgument for a target or an event that a stream cannot carry, kLimitExceeded or kIo from the store.
  SendResult send(SendRequest request);
  /// Sends several events in order, with one commit for all with qos; returns when they are in the streams. A request
  /// that is invalid or exceeds a limit is refused without affecting the others. The outcomes are in the order of the
  /// requests. Throws Error(kIo), with nothing sent, when the store fails.
  std::vector<SendOutcome> send_all(std::vector<SendRequest> requests);

  /// Gets the outcome of an asynchronous send, on a thread of the server or of the caller, often the thread of an event
  /// loop: it must be quick, must not throw, and must not call a function that waits.
  using Sent = std::function<void(SendOutcome)>;
  /// Like send(), without waiting for the streams and other nodes. `sent` is called once, at the latest when the server
  /// stops, then with kUnavailable; errors are refusals. Throws Error(kUnavailable) while the server does not run; then
  /// `sent` is not called. Does not wait for the store either, unless a history is kept, or very many sends wait for
  /// other nodes. Events without qos that one thread sends reach each stream in that order.
  void send_async(SendRequest request, Sent sent);

  /// Like send() with qos, and then waits until all recipients have confirmed, or for `timeout`. SendResult::Recipient
  /// has the state of each.
  SendResult send_and_wait(SendRequest request, std::chrono::milliseconds timeout);

  /// Creates a ticket, which opens one stream of this service as `user`: for clients that authenticate by their URL
  /// alone, in which no credentials should be that last. Any node of a cluster redeems it. Give it to the user's page
  /// over HTTPS only, and log it nowhere. The user holds until the stream ends, at the latest until `user.expires`.
  /// Does not wait for the event loops. Throws Error: kInvalidArgument for a user without an id or a `lifetime` outside
  /// of kMinTicketLifetime to kMaxTicketLifetime, kLimitExceeded (ServerOptions::max_tickets), kUnavailable or kTimeout
  /// without the Redis of the cluster.
  Ticket create_ticket(const User& user, std::chrono::milliseconds lifetime = kTicketLifetime);

  /// Snapshots of the matching connections, oldest first.
  std::vector<ConnectionInfo> connections(const ConnectionFilter& filter = {}) const;
  /// A snapshot of a connection; nullopt when it is not open.
  std::optional<ConnectionInfo> connection(ConnectionId id) const;
  /// The users, tokens, tenants, channels or members that have a connection, sorted.
  std::vector<std::string> names(TargetKind kind) const;
  /// The number of open connections. Does not wait.
  std::size_t size() const;

  /// Changes a connection; returns it as it is then, nullopt when it is not open. Throws Error: kInvalidArgument for a
  /// name that cannot be changed or is no name of a channel, kTooLarge above 32 KiB of parameters, kLimitExceeded above
  /// 100 channels; what comes before in ConnectionChange may have changed then.
  std::optional<ConnectionInfo> change(ConnectionId id, const ConnectionChange& change);

  /// Closes a connection so that its client does not reconnect; false when it is not open.
  bool close(ConnectionId id);
  /// Closes all connections of the target; returns how many.
  std::size_t close(Target target);

 private:
  friend class Server;
  Service(delivery::Sender& sender, auth::Tickets& tickets) : sender_(&sender), tickets_(&tickets) {}

  delivery::Sender* sender_;
  auth::Tickets* tickets_;
};

/// A push server in one object, which a C++ program embeds: the pages' streams, messages and uploads on a listener of
/// its own, and optionally the admin API for `ssectl`. `sse-serve` is this with a command line.
///
///     sse::Server server(options);
///     server.start();
///     server.service().send({sse::Target::all(), "news", "hello"});
///     server.stop();
///
/// With CMake use `find_package(sse-server)` and link `sse::server`; otherwise `pkg-config --cflags --libs sse-server`.
///
/// Thread safe after construction, except that one thread calls start() and stop(), and it is not a thread of the
/// server: a callback may send, query and close through service(), but may not stop or destroy the server (asserted).
class SSE_API Server {
 public:
  /// Opens the database and the listeners, so that errors appear before anything runs. `authenticator` null: that of
  /// the callbacks. With ServerOptions::hook, the application at that URL decides about connects and answers messages
  /// and uploads, unless one of the callbacks `connect`, `publish`, `message` and `upload` is set: then these do.
  /// Throws Error; kInvalidArgument names the option, as `sse-serve` calls it.
  explicit Server(ServerOptions options, Callbacks callbacks = {},
                  std::unique_ptr<Authenticator> authenticator = nullptr);
  /// With a store, a registry of nodes or an authenticator of the program's own.
  Server(ServerOptions options, Callbacks callbacks, Components components);
  /// stop()s if still running.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Starts serving; returns immediately.
  void start();
  /// Refuses new streams, writes out the backlogs, ends all streams and flushes pending writes to the store. The
  /// clients reconnect later, here or to another node. Returns within 10 seconds. Idempotent.
  void stop();
  /// Reads the admin token, the TLS certificate and key, the hook's secret and the authenticator's files again. Throws
  /// Error naming what it cannot read; those keep their old values, the others are new.
  void reload();
  /// Replaces ServerOptions::channel_rules. Streams leave channels that they joined by an earlier rule and may not join
  /// by these; they stay open, and their pages get an event `sse-channel-refused`. Waits for the event loops. Throws
  /// Error(kInvalidArgument) that names a rule; then the earlier rules stay in effect. The thread of start() calls it.
  void set_channel_rules(const std::vector<std::string>& rules);
  /// Replaces ServerOptions::publish_rules. Throws as set_channel_rules(). The thread of start() calls it.
  void set_publish_rules(const std::vector<std::string>& rules);

  /// `http://127.0.0.1:8080` or `https://…`, with the port actually bound.
  std::string url() const;
  /// As ServerOptions::admin, with the port actually bound; empty: no admin listener.
  std::string admin_address() const;
  /// ServerOptions::server_id, or the id made from host name and port.
  std::string server_id() const;
  /// A service by its name; the only one for an empty name. Throws Error(kNotFound).
  Service service(const std::string& name = "");
  /// All metrics in the Prometheus text format 0.0.4.
  std::string metrics() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sse
