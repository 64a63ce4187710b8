#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "application/service.h"
#include "event/json.h"
#include "observe/metrics.h"
#include "server/node_facts.h"
#include "server/server.h"
#include "server/stores.h"

namespace sse::server {

class Canary;
class ClusterNode;

/// Describes a server to its operator: `GET /api/v1/status`. Thread safe.
class StatusReport {
 public:
  /// References must outlive the report.
  struct Source {
    const ServerOptions& options;
    const std::string& server_id;
    const std::vector<application::Service>& services;
    const Stores& stores;
    const observe::Registry& metrics;
    const NodeFacts& facts;
    const ClusterNode* cluster;  ///< null without a cluster
    std::size_t loops;
    const Canary* canary;  ///< null: none
  };

  explicit StatusReport(const Source& source) : source_(source) {}

  /// The JSON document.
  event::Json document() const;

 private:
  std::string database() const;
  event::Json cluster_status() const;

  const Source source_;
};

}  // namespace sse::server
