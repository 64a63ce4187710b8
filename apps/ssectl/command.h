#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "api/client.h"
#include "base/ids.h"
#include "cli/app.h"
#include "output.h"

namespace sse::cluster {
class ClusterClient;
}  // namespace sse::cluster

namespace sse::ctl {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;
/// Not found, or no recipient is connected.
inline constexpr int kNoRecipient = 3;

/// The options that every ssectl command takes.
struct GlobalOptions {
  std::string server;
  std::string cluster;
  std::string cluster_password_file;
  std::string discovery;
  std::string discovery_password_file;
  std::string cluster_secret_file;
  bool local = false;
  std::string token_file;
  std::string service;
  std::string output = "table";
  std::string timeout = "10s";
  bool no_color = false;

  void declare(cli::App& app);
};

/// The environment of a running command: global options, output, and the client of the admin API.
class Context {
 public:
  /// Throws Error(kInvalidArgument) for an invalid option.
  explicit Context(const GlobalOptions& options);
  ~Context();

  Output& out() { return out_; }
  /// --local was given.
  bool local() const { return options_.local; }
  ServiceName service() const { return ServiceName(options_.service); }
  std::chrono::milliseconds timeout() const { return timeout_; }
  /// Created at the first call, so that commands that use no server need none. `more` counts at the first call only:
  /// a response may take --timeout plus `more`.
  api::Client& client(std::chrono::milliseconds more = {});
  /// Address of the admin API, for commands that open their own connection to it.
  std::string address() const;
  /// The admin token; empty without --token-file.
  std::string token() const;

 private:
  api::RequestForwarder forwarder();
  std::unique_ptr<cluster::ClusterClient> open_cluster() const;

  GlobalOptions options_;
  Output out_;
  std::chrono::milliseconds timeout_;
  std::unique_ptr<cluster::ClusterClient> cluster_;
  std::unique_ptr<api::Client> client_;
};

/// Runs a command and returns the exit code; throws Error.
using Run = std::function<int(Context&)>;

/// One command of the table in main.cc.
struct Command {
  const char* group;  ///< "" for a command without a group
  const char* name;
  const char* summary;
  const char* examples;
  /// Adds the command's options to its app; the returned function owns their values.
  Run (*declare)(cli::App& app);
};

Run declare_status(cli::App& app);
Run declare_send(cli::App& app);
Run declare_listen(cli::App& app);
Run declare_top(cli::App& app);
Run declare_completion(cli::App& app);
Run declare_bench(cli::App& app);
Run declare_connections_list(cli::App& app);
Run declare_connections_show(cli::App& app);
Run declare_connections_close(cli::App& app);
Run declare_connections_duration(cli::App& app);
Run declare_users_list(cli::App& app);
Run declare_users_show(cli::App& app);
Run declare_users_online(cli::App& app);
Run declare_users_duration(cli::App& app);
Run declare_tenants_list(cli::App& app);
Run declare_channels_list(cli::App& app);
Run declare_tokens_list(cli::App& app);
Run declare_tokens_duration(cli::App& app);
Run declare_explain(cli::App& app);
Run declare_events(cli::App& app);
Run declare_nodes_list(cli::App& app);
Run declare_nodes_show(cli::App& app);
Run declare_nodes_drain(cli::App& app);
Run declare_messages_list(cli::App& app);
Run declare_messages_show(cli::App& app);
Run declare_messages_delete(cli::App& app);
Run declare_messages_purge(cli::App& app);
Run declare_messages_retry(cli::App& app);
Run declare_messages_trace(cli::App& app);
Run declare_messages_export(cli::App& app);
Run declare_messages_import(cli::App& app);
Run declare_messages_dead_list(cli::App& app);
Run declare_messages_dead_requeue(cli::App& app);
Run declare_messages_dead_purge(cli::App& app);

}  // namespace sse::ctl
