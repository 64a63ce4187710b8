#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cluster/core/cluster.h"
#include "event/json.h"
#include "net/router.h"

namespace sse::cluster {
class HttpBus;
}

namespace sse::admin {

/// The routes of the admin API for nodes: list the nodes of the cluster, drain one, and end that. A server without a
/// cluster is its only node.
class NodeRoutes {
 public:
  struct Dependencies {
    std::string server_id;
    cluster::Cluster* cluster = nullptr;    ///< null: no cluster
    const cluster::HttpBus* bus = nullptr;  ///< of a mesh; null: none
    std::function<event::Json()> facts;     ///< of this node
    std::function<void(unsigned)> drain;    ///< with a rate in streams per second
    std::function<void()> undrain;          ///< accept streams again
  };

  /// Registers the routes; the dependencies outlive them.
  NodeRoutes(net::Router& router, Dependencies dependencies);

 private:
  event::Json nodes() const;
  void drain(const httplib::Request& req, httplib::Response& res) const;
  void undrain(const httplib::Request& req, httplib::Response& res) const;
  /// Has another node of the cluster carry out an operation of node_operations.h.
  void pass_on(const std::string& node, const char* operation, const std::string& body, httplib::Response& res) const;

  const Dependencies deps_;
};

}  // namespace sse::admin
