#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/cluster.h"
#include "cluster/merge.h"
#include "cluster/raw_http.h"
#include "event/json.h"
#include "gateway/admin_routes.h"
#include "gateway/local_header.h"
#include "net/httplib_app.h"

namespace sse::gateway {

/// Answers requests to the admin API for the whole cluster: asks every node, this one included, and makes one document
/// of what they say. Nodes that do not answer in time are named in `missing`. Thread safe.
class ClusterAdmin {
 public:
  /// `own_stores`: whether each node has pending messages of its own.
  /// `settle`: has all nodes count the deliveries they have noted, before messages are listed; may be empty.
  ClusterAdmin(cluster::Cluster& cluster, net::HttplibApp& app, const AdminToken& token, bool own_stores,
               std::function<void()> settle = {})
      : cluster_(cluster), app_(app), token_(token), own_stores_(own_stores), settle_(std::move(settle)) {}

  /// As HttplibApp::Interceptor: nullopt for what this node answers alone.
  std::optional<net::Reply> operator()(std::string_view text, const net::Peer& peer, bool keep_alive,
                                       const net::RequestExtras& extras);

 private:
  struct Gathered {
    cluster::RawResponse own;
    std::vector<event::Json> documents;  // of those who answered 200, this node first
    std::vector<std::string> missing;
  };
  Gathered gather(const cluster::RawRequest& request, const net::Peer& peer);
  cluster::RawResponse list(const cluster::RawRequest& request, const net::Peer& peer, cluster::ListRule rule);
  std::optional<cluster::RawResponse> explain(const cluster::RawRequest& request, const net::Peer& peer);
  /// What concerns stores, where each node has its own.
  std::optional<cluster::RawResponse> stores(const cluster::RawRequest& request, const net::Peer& peer);
  /// A page of the export of all nodes' messages, ascending by id.
  cluster::RawResponse export_page(const cluster::RawRequest& request, const net::Peer& peer);
  cluster::RawResponse trace(const cluster::RawRequest& request, const net::Peer& peer);
  cluster::RawResponse object(const cluster::RawRequest& request, const net::Peer& peer);
  /// The same for what names many: in pieces, see pieces_of().
  cluster::RawResponse objects(const std::vector<cluster::RawRequest>& pieces, const net::Peer& peer);
  std::optional<cluster::RawResponse> at_owner(const cluster::RawRequest& request, const net::Peer& peer,
                                               std::string_view id);

  cluster::Cluster& cluster_;
  net::HttplibApp& app_;
  const AdminToken& token_;
  const bool own_stores_;
  const std::function<void()> settle_;
};

/// A request that names connections, users or others in its body (connections/close, durations) as requests that name
/// some of them each, so that no node has to be sent all at once; one where it is small. Throws Error(kInvalidArgument)
/// for a body that is no such request.
std::vector<cluster::RawRequest> pieces_of(const cluster::RawRequest& request);

}  // namespace sse::gateway
