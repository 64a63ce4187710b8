#pragma once

#include <string>
#include <string_view>

#include "cluster/core/raw_http.h"
#include "cluster/core/wire.h"

/// The operations of the admin API that nodes ask of each other, each node for its part: between nodes they have a name
/// and typed fields (cluster::AdminCommand); a node handles one as a request to its own routes. A node asks nothing
/// else of another one's admin API.
namespace sse::admin {

/// An operation, and the request to the admin API that it is.
struct NodeOperation {
  std::string_view name;  ///< on the wire: never changed, never used for something else
  std::string_view method;
  std::string_view path;  ///< `{}` stands for the id

  bool matches(const cluster::RawRequest& request) const;
};

/// The operation that a request to the admin API is; null if nodes do not ask others for it.
const NodeOperation* find_operation(const cluster::RawRequest& request);

/// The command for other nodes. REQUIRES: `operation` matches the request. `peer`: the address of the client.
cluster::AdminCommand command_of(const NodeOperation& operation, const cluster::RawRequest& request,
                                 const std::string& peer);
/// The request to this node's routes that another node's command is. Throws Error(kInvalidArgument) for an operation
/// that this version does not know, and for an id that none has.
cluster::RawRequest request_of(const cluster::AdminCommand& command);

/// The reply to another node that a response of this node's routes is.
cluster::AdminReply reply_of(cluster::RawResponse response);
/// The response to the client that the reply of another node is.
cluster::RawResponse response_of(cluster::AdminReply reply);

}  // namespace sse::admin
