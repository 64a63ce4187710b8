#pragma once

#include <functional>
#include <memory>

#include "net/address_limiter.h"
#include "net/counted.h"
#include "net/socket.h"
#include "net/stream_head.h"

namespace sse::net {

/// A connection that leaves HttpFront because its response is an endless stream.
struct HandedOverConnection {
  Socket socket;
  StreamHead head;  ///< not yet sent
  /// The connection's place under the limit of its client's address, to be kept as long as the stream. Null: no limit.
  std::unique_ptr<AddressLimiter::Ticket> ticket{};
  /// Its place under the limit of its front, to be kept until its new owner counts it.
  Counted counted{};
};

/// Takes over a connection. Called once, on the thread that handled the request.
using HandOver = std::function<void(HandedOverConnection connection)>;

}  // namespace sse::net
