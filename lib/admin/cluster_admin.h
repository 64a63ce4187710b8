#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/admin_routes.h"
#include "admin/local_header.h"
#include "cluster/core/cluster.h"
#include "cluster/core/merge.h"
#include "cluster/core/raw_http.h"
#include "event/json.h"
#include "net/httplib_app.h"

namespace sse::admin {

/// Handles admin API requests for the whole cluster: forwards them to every node, this one included, and merges the
/// responses into one document. Nodes that do not reply in time are listed in its `missing`. Thread safe.
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
  struct NodeReplies {
    cluster::RawResponse own;
    std::vector<event::Json> documents;  // of the nodes that replied 200, this node first
    std::vector<std::string> missing;
  };
  NodeReplies query_nodes(const cluster::RawRequest& request, const net::Peer& peer);
  cluster::RawResponse list(const cluster::RawRequest& request, const net::Peer& peer, cluster::ListRule rule);
  std::optional<cluster::RawResponse> explain(const cluster::RawRequest& request, const net::Peer& peer);
  /// Handles requests for messages and dead letters if each node has its own store.
  std::optional<cluster::RawResponse> stores(const cluster::RawRequest& request, const net::Peer& peer);
  /// A page of the export of all nodes' messages, ascending by id.
  cluster::RawResponse export_page(const cluster::RawRequest& request, const net::Peer& peer);
  cluster::RawResponse trace(const cluster::RawRequest& request, const net::Peer& peer);
  cluster::RawResponse object(const cluster::RawRequest& request, const net::Peer& peer);
  /// As object(), for a request split into pieces.
  cluster::RawResponse objects(const std::vector<cluster::RawRequest>& pieces, const net::Peer& peer);
  std::optional<cluster::RawResponse> forward_to_owner(const cluster::RawRequest& request, const net::Peer& peer,
                                                       std::string_view id);

  cluster::Cluster& cluster_;
  net::HttplibApp& app_;
  const AdminToken& token_;
  const bool own_stores_;
  const std::function<void()> settle_;
};

/// Splits a request that names connections, users or other targets in its body (connections/close, durations) into
/// requests with a part of the names each, so that the messages between nodes stay small. A small request is returned
/// as it is. Throws Error(kInvalidArgument) for an invalid body.
std::vector<cluster::RawRequest> split_request(const cluster::RawRequest& request);

}  // namespace sse::admin
