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
/// connection's id tells. That node then decides as if it had been asked itself. And what a page asks about users and
/// connections (--enable-get-json) is asked everywhere, unless it says `cluster=false`. Thread safe.
class ClusterPages {
 public:
  ClusterPages(cluster::Cluster& cluster, const std::vector<Service>& services, net::HttplibApp& app)
      : cluster_(cluster), services_(services), app_(app) {}

  /// As HttplibApp::Interceptor: nullopt for what this node answers alone.
  std::optional<net::Reply> operator()(std::string_view text, const net::Peer& peer, bool keep_alive);

 private:
  bool is_about_a_connection(std::string_view text) const;
  /// `users` or `connections`, asked by a page; else empty.
  std::string_view query_in(std::string_view text) const;
  std::optional<net::Reply> query(std::string_view what, std::string_view text, const net::Peer& peer, bool keep_alive);

  cluster::Cluster& cluster_;
  const std::vector<Service>& services_;
  net::HttplibApp& app_;
};

/// The connection a page's request is about: in the query, else in a JSON, form or multipart body; 0 when it names
/// none.
std::uint64_t named_connection(std::string_view request);

}  // namespace sse::gateway
