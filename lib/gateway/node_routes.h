#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cluster/cluster.h"
#include "event/json.h"
#include "gateway/router.h"

namespace sse::gateway {

/// The nodes of a cluster in the admin API: who is there, and sending the streams of one elsewhere. A server that is
/// alone is its only node.
class NodeRoutes {
 public:
  struct Dependencies {
    std::string server_id;
    cluster::Cluster* cluster = nullptr;  ///< null: alone
    std::function<event::Json()> facts;   ///< of this node
    std::function<void(unsigned)> drain;  ///< so many streams a second
  };

  /// Registers the routes; what the dependencies refer to outlives them.
  NodeRoutes(Router& router, Dependencies dependencies);

 private:
  event::Json nodes() const;
  void drain(const httplib::Request& req, httplib::Response& res) const;

  const Dependencies deps_;
};

}  // namespace sse::gateway
