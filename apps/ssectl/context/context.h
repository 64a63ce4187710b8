#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "api/client.h"
#include "base/ids.h"
#include "ssectl/context/global_options.h"
#include "ssectl/terminal/output.h"

namespace sse::cluster {
class ClusterClient;
}  // namespace sse::cluster

namespace sse::ctl {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;
/// Not found, or no recipient is connected.
inline constexpr int kNoRecipient = 3;

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
  /// Whether --server, --cluster or --discovery, or their variables, name a server, so that none has to be looked for.
  bool names_a_server() const;
  /// --cluster or --discovery was given: there is no server that all requests go to.
  bool over_cluster() const { return !options_.cluster.empty() || !options_.discovery.empty(); }
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

/// `query` limited to the service of --service, if that was given.
template <class Query>
Query with_service(Query query, const Context& context) {
  query.service = context.service();
  return query;
}

}  // namespace sse::ctl
