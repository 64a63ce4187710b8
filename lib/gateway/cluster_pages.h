#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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
  /// The complete response that refuses a request, as the front of the pages words it.
  using Refuse = std::function<std::string(std::string_view request, int status, const std::string& sentence)>;

  /// References outlive it. `answer_timeout`: how long the application of another node may take for its answer.
  ClusterPages(cluster::Cluster& cluster, const std::vector<Service>& services, net::HttplibApp& app,
               std::chrono::milliseconds answer_timeout, Refuse refuse)
      : cluster_(cluster),
        services_(services),
        app_(app),
        answer_timeout_(answer_timeout),
        refuse_(std::move(refuse)) {}

  /// As HttplibApp::Interceptor: nullopt for what this node answers alone. A body that is in a file goes to the other
  /// node in pieces, and is never in memory as a whole.
  std::optional<net::Reply> operator()(std::string_view text, const net::Peer& peer, bool keep_alive,
                                       const net::RequestExtras& extras);

 private:
  /// What the node answers; throws Error and Refusal.
  std::string forward(unsigned node, std::string_view text, const net::Peer& peer, const net::RequestExtras& extras);
  bool is_about_a_connection(std::string_view text) const;
  /// `users` or `connections`, asked by a page; else empty.
  std::string_view query_in(std::string_view text) const;
  std::optional<net::Reply> query(std::string_view what, std::string_view text, const net::Peer& peer, bool keep_alive);

  cluster::Cluster& cluster_;
  const std::vector<Service>& services_;
  net::HttplibApp& app_;
  const std::chrono::milliseconds answer_timeout_;
  const Refuse refuse_;
};

/// The connection a page's request is about: in the query, else in a JSON, form or multipart body; 0 when it names
/// none. A body that is in a file and not loadable is not looked at: uploads name it in the query.
std::uint64_t named_connection(std::string_view request, const net::RequestExtras& extras = {});

}  // namespace sse::gateway
