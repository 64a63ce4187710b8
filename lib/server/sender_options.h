#pragma once

#include "delivery/sender.h"
#include "server/server.h"

namespace sse::server {

/// The options of the sender of one service: `name` is the service's; the history's bytes are divided among all
/// services of `options`. What connects it to other objects (remote nodes, observer, attempts) is left empty.
delivery::SenderOptions sender_options(const ServerOptions& options, const std::string& name);

}  // namespace sse::server
