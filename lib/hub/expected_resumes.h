#pragma once

#include "hub/hub_options.h"
#include "hub/resuming_clients.h"

namespace sse::hub {

/// Clients of one service that are expected to reconnect, shared by its shards.
struct ExpectedResumes {
  explicit ExpectedResumes(const HubOptions& options);

  ResumingClients closed;   ///< closed from the server's side: the next request of such a client is answered with 204
  ResumingClients renewed;  ///< ended at keepaliveTime: such a client needs no resync event
};

}  // namespace sse::hub
