#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/cluster.h"
#include "gateway/page_routes.h"
#include "net/httplib_app.h"

namespace sse::gateway {

/// Hands what a page says about its connection to the node that holds it, whichever node a load balancer chose: the
/// connection's id tells. That node then decides as if it had been asked itself. Thread safe.
class ClusterPages {
 public:
  ClusterPages(cluster::Cluster& cluster, const std::vector<Service>& services)
      : cluster_(cluster), services_(services) {}

  /// As HttplibApp::Interceptor: nullopt for what is about no connection, or one of this node.
  std::optional<net::Reply> operator()(std::string_view text, const net::Peer& peer, bool keep_alive);

 private:
  bool is_about_a_connection(std::string_view text) const;

  cluster::Cluster& cluster_;
  const std::vector<Service>& services_;
};

/// The connection a page's request is about: in the query, else in a JSON, form or multipart body; 0 when it names
/// none.
std::uint64_t named_connection(std::string_view request);

}  // namespace sse::gateway
