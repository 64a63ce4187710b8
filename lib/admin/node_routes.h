#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cluster/core/cluster.h"
#include "event/json.h"
#include "net/router.h"

namespace sse::admin {

/// The routes of the admin API for nodes: list the nodes of the cluster, and drain one. A server without a cluster is
/// its only node.
class NodeRoutes {
 public:
  struct Dependencies {
    std::string server_id;
    cluster::Cluster* cluster = nullptr;  ///< null: no cluster
    std::function<event::Json()> facts;   ///< of this node
    std::function<void(unsigned)> drain;  ///< with a rate in streams per second
  };

  /// Registers the routes; the dependencies outlive them.
  NodeRoutes(net::Router& router, Dependencies dependencies);

 private:
  event::Json nodes() const;
  void drain(const httplib::Request& req, httplib::Response& res) const;

  const Dependencies deps_;
};

}  // namespace sse::admin
