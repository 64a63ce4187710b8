#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/admin_routes.h"
#include "admin/local_header.h"
#include "cluster/core/cluster.h"
#include "cluster/core/raw_http.h"
#include "cluster/core/wire.h"
#include "event/json.h"
#include "net/httplib_app.h"

namespace sse::admin {

/// Handles admin API requests for the whole cluster: asks every node, this one included, for the operation
/// (node_operations.h), reads the replies into the type of that operation (node_replies.h, node_rows.h), and merges
/// those. One table in cluster_admin.cc has a line for each operation. Nodes that do not reply in time are listed in
/// `missing` of the response. Thread safe.
class ClusterAdmin {
 public:
  /// `own_stores`: whether each node stores its own pending messages.
  /// `settle`: makes all nodes write their delivery attempts to the stores before messages are listed; may be empty.
  ClusterAdmin(cluster::Cluster& cluster, net::HttplibApp& app, const AdminToken& token, bool own_stores,
               std::function<void()> settle = {})
      : cluster_(cluster), app_(app), token_(token), own_stores_(own_stores), settle_(std::move(settle)) {}

  /// Implements HttplibApp::Interceptor: nullopt for requests that this node handles alone.
  std::optional<net::Reply> operator()(std::string_view text, const net::Peer& peer, bool keep_alive,
                                       const net::RequestExtras& extras);

 private:
  using Response = std::optional<cluster::RawResponse>;
  struct Route;
  /// What all nodes replied to one request.
  struct NodeReplies {
    cluster::RawResponse own;
    std::vector<std::pair<std::string, cluster::AdminReply>> others;  // by node
    std::vector<std::string> missing;                                 // nodes that did not reply
  };
  /// The replies of the nodes with status 200, this node first.
  template <class Reply>
  struct Typed {
    cluster::RawResponse own;
    std::vector<Reply> replies;
    std::set<std::string> missing;  // nodes that did not reply, or not with a Reply

    /// A request that is invalid here is invalid on all nodes; an object that is not found here may be on another node.
    bool refused() const { return (own.status != 200 && own.status != 404) || replies.empty(); }
  };

  static std::span<const Route> routes();
  NodeReplies query_nodes(const cluster::RawRequest& request, const net::Peer& peer);
  template <class Reply>
  Typed<Reply> query(const cluster::RawRequest& request, const net::Peer& peer);

  // Functions of the table. They return nullopt for a request that the route of this node refuses.
  template <class Row>
  Response list(const cluster::RawRequest& request, const net::Peer& peer);
  template <class Row>
  Response list_stores(const cluster::RawRequest& request, const net::Peer& peer);
  template <class Reply>
  Response object(const cluster::RawRequest& request, const net::Peer& peer);
  /// As object(), for a request that may be split into pieces.
  template <class Reply>
  Response objects(const cluster::RawRequest& request, const net::Peer& peer);
  /// A duration for users or tokens is sent as a message, which reaches every node by itself.
  Response set_durations(const cluster::RawRequest& request, const net::Peer& peer);
  Response message(const cluster::RawRequest& request, const net::Peer& peer);
  Response explain(const cluster::RawRequest& request, const net::Peer& peer);
  /// A page of the export of all nodes' messages, ascending by id.
  Response export_page(const cluster::RawRequest& request, const net::Peer& peer);
  Response connection(const cluster::RawRequest& request, const net::Peer& peer);

  cluster::Cluster& cluster_;
  net::HttplibApp& app_;
  const AdminToken& token_;
  const bool own_stores_;
  const std::function<void()> settle_;
};

}  // namespace sse::admin
