#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "application/application.h"
#include "auth/authenticator.h"
#include "auth/tickets.h"
#include "base/clock.h"
#include "delivery/sender.h"
#include "observe/metrics.h"
#include "sse-server/callbacks.h"
#include "sse-server/components.h"
#include "sse-server/options.h"

namespace sse::server {

/// The options of a server, and what only this project's own programs and tests set.
struct ServerOptions : sse::ServerOptions {
  /// The clock of the whole server, for reading the time and for waiting; outlives the server. Tests may set a
  /// ManualClock (base/manual_clock.h). Authenticators have their own clock option.
  const Clock* clock = &Clock::system();
  /// Of Components, for a program that embeds the server. Shared, so that options can be copied.
  std::function<std::unique_ptr<MessageRepository>(MessageIds& ids)> own_repository{};
  std::shared_ptr<Discovery> own_discovery{};  ///< with `discovery` = kOwnDiscovery
  /// Descriptors of sockets that listen already, by the address in `listen`, `also_listen` or `admin` that each one
  /// stands for. The server takes them over.
  std::map<std::string, int> open_sockets;
};

/// Throws Error(kInvalidArgument) naming the invalid option. Reads the file system, but opens and creates nothing.
void check(const ServerOptions& options);

/// The implementation of sse::Server (sse-server/server.h), for `sse-serve` and for tests: with the sender and the
/// metrics as objects, and with any Application. Thread rules as there.
///
/// Handlers of `authenticator` and `application` run on worker threads; see Callbacks for the rest.
class Server {
 public:
  /// Opens the database and the listeners, so that errors appear before anything runs. `authenticator` null: the demo
  /// authenticator. `application` null: the hook's if `hook` is set, else the demo application. Throws Error.
  explicit Server(ServerOptions options, std::unique_ptr<auth::Authenticator> authenticator = nullptr,
                  std::unique_ptr<application::Application> application = nullptr);
  /// With callbacks, as sse::Server::Server().
  Server(ServerOptions options, Callbacks callbacks, std::unique_ptr<auth::Authenticator> authenticator = nullptr);
  /// stop()s if still running.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Starts serving; returns immediately.
  void start();
  /// Refuses new streams, writes out the backlogs, ends all streams without connect-close and flushes pending writes to
  /// the store. Returns within 10 seconds. Idempotent.
  void stop();
  /// Reads the admin token, the TLS certificate and key, the hook's secret and the authenticator's files again. Throws
  /// Error naming what it cannot read; those keep their old values, the others are new.
  void reload();
  /// As sse::Server::set_channel_rules().
  void set_channel_rules(const std::vector<std::string>& rules);
  /// As sse::Server::set_publish_rules().
  void set_publish_rules(const std::vector<std::string>& rules);
  /// For a watchdog, between start() and stop(), on one thread at a time: asks each loop and the committer for an
  /// answer and returns the names of those that have not answered since an earlier call. Does not wait.
  std::vector<std::string> stuck_threads();

  /// `http://127.0.0.1:8080` or `https://…`, with the port actually bound.
  std::string url() const;
  /// Of all public listeners; `unix:PATH` for a unix socket.
  std::vector<std::string> urls() const;
  std::string admin_address() const;
  const std::string& server_id() const;
  /// Streams of all services.
  std::size_t open_streams() const;
  /// The sender of a service; of the only one for an empty name. Throws Error(kNotFound).
  delivery::Sender& sender(const std::string& service = "");
  auth::Tickets& tickets();
  observe::Registry& metrics();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sse::server
