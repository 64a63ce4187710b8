#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "application/service.h"
#include "cluster/core/cluster.h"
#include "net/httplib_app.h"
#include "pages/page_routes.h"

namespace sse::pages {

/// Forwards a page's request about its connection to the node that holds the connection, whichever node the load
/// balancer chose: the connection's id contains the node's number. That node handles the request as if it had received
/// it directly. A query for users or connections (--enable-get-json) goes to all nodes unless it has `cluster=false`.
/// Thread safe.
class ClusterPages {
 public:
  /// Returns the complete response that refuses a request, as the public HTTP front writes it.
  using Refuse = std::function<std::string(std::string_view request, int status, const std::string& sentence)>;

  /// References outlive it. `answer_timeout`: how long the application of another node may take to respond.
  ClusterPages(cluster::Cluster& cluster, const std::vector<application::Service>& services, net::HttplibApp& app,
               std::chrono::milliseconds answer_timeout, Refuse refuse)
      : cluster_(cluster),
        services_(services),
        app_(app),
        answer_timeout_(answer_timeout),
        refuse_(std::move(refuse)) {}

  /// Implements HttplibApp::Interceptor: nullopt for requests that this node handles alone. A body that is in a file is
  /// sent to the other node in pieces and is never in memory as a whole.
  std::optional<net::Reply> operator()(std::string_view text, const net::Peer& peer, bool keep_alive,
                                       const net::RequestExtras& extras);

 private:
  /// Returns the node's response; throws Error and Refusal.
  std::string forward(unsigned node, std::string_view text, const net::Peer& peer, const net::RequestExtras& extras);
  bool is_connection_request(std::string_view text) const;
  /// `users` or `connections` if the request is such a query of a page; else empty.
  std::string_view query_in(std::string_view text) const;
  /// Merges the lists of all nodes, sorted by that column of Row.
  template <class Row>
  std::optional<net::Reply> query(std::string_view column, std::string_view text, const net::Peer& peer,
                                  bool keep_alive);

  cluster::Cluster& cluster_;
  const std::vector<application::Service>& services_;
  net::HttplibApp& app_;
  const std::chrono::milliseconds answer_timeout_;
  const Refuse refuse_;
};

/// The id of the connection that a page's request is about, from the query, else from a JSON, form or multipart body; 0
/// if there is none. A body that is in a file and not loadable is not read: uploads have the id in the query.
std::uint64_t find_connection_id(std::string_view request, const net::RequestExtras& extras = {});

}  // namespace sse::pages
