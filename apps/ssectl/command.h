#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "api/client.h"
#include "base/ids.h"
#include "cluster/client.h"
#include "output.h"

namespace sse::ctl {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;
/// Not found, or nobody there.
inline constexpr int kNobody = 3;

/// The options that every command takes.
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

  void declare(CLI::App& app);
};

/// What a command runs with.
class Context {
 public:
  /// Throws Error(kInvalidArgument) for an option that makes no sense.
  explicit Context(const GlobalOptions& options);
  ~Context();

  Output& out() { return out_; }
  /// --local was given.
  bool local() const { return options_.local; }
  ServiceName service() const { return ServiceName(options_.service); }
  std::chrono::milliseconds timeout() const { return timeout_; }
  /// Made at the first call, so that commands without a server need none. `more`, of that call: how much longer than
  /// --timeout an answer may take.
  api::Client& client(std::chrono::milliseconds more = {});
  /// Of the server's admin API, for those who speak to it themselves.
  std::string address() const;
  /// The admin token; empty without --token-file.
  std::string token() const;

 private:
  api::Carrier carrier();
  std::unique_ptr<cluster::ClusterClient> open_cluster() const;

  GlobalOptions options_;
  Output out_;
  std::chrono::milliseconds timeout_;
  std::unique_ptr<cluster::ClusterClient> cluster_;
  std::unique_ptr<api::Client> client_;
};

/// Does the work and returns the exit code; throws Error.
using Run = std::function<int(Context&)>;

/// One command of the table in main.cc.
struct Command {
  const char* group;  ///< "" for one that stands alone
  const char* name;
  const char* summary;
  const char* examples;
  /// Adds the command's options to its app; what it returns owns their values.
  Run (*declare)(CLI::App& app);
};

Run declare_status(CLI::App& app);
Run declare_send(CLI::App& app);
Run declare_listen(CLI::App& app);
Run declare_top(CLI::App& app);
Run declare_completion(CLI::App& app);
Run declare_bench(CLI::App& app);
Run declare_connections_list(CLI::App& app);
Run declare_connections_show(CLI::App& app);
Run declare_connections_close(CLI::App& app);
Run declare_connections_duration(CLI::App& app);
Run declare_users_list(CLI::App& app);
Run declare_users_show(CLI::App& app);
Run declare_users_online(CLI::App& app);
Run declare_users_duration(CLI::App& app);
Run declare_tenants_list(CLI::App& app);
Run declare_channels_list(CLI::App& app);
Run declare_tokens_list(CLI::App& app);
Run declare_tokens_duration(CLI::App& app);
Run declare_explain(CLI::App& app);
Run declare_events(CLI::App& app);
Run declare_nodes_list(CLI::App& app);
Run declare_nodes_show(CLI::App& app);
Run declare_nodes_drain(CLI::App& app);
Run declare_messages_list(CLI::App& app);
Run declare_messages_show(CLI::App& app);
Run declare_messages_delete(CLI::App& app);
Run declare_messages_purge(CLI::App& app);
Run declare_messages_retry(CLI::App& app);
Run declare_messages_trace(CLI::App& app);
Run declare_messages_export(CLI::App& app);
Run declare_messages_import(CLI::App& app);
Run declare_messages_dead_list(CLI::App& app);
Run declare_messages_dead_requeue(CLI::App& app);
Run declare_messages_dead_purge(CLI::App& app);

}  // namespace sse::ctl
