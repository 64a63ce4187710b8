#include "server/sender_options.h"

namespace sse::server {

delivery::SenderOptions sender_options(const ServerOptions& options, const std::string& name) {
  delivery::SenderOptions sender;
  sender.ttl = options.qos_ttl;
  sender.history = options.history;
  sender.history.bytes = ByteCount(options.history.bytes.count() / options.services.size());
  sender.hub.service = ServiceName(name);
  sender.hub.heartbeat = options.heartbeat;
  sender.hub.reconnect_time = options.reconnect_time;
  sender.hub.reconnect_jitter = options.reconnect_jitter;
  sender.hub.ack_timeout = options.qos_ack_timeout;
  sender.hub.client_max_connections = options.client_max_connections;
  sender.hub.stream.max_backlog = options.max_backlog.count();
  sender.hub.stream.overflow = options.drop_slow ? net::Stream::Overflow::kDrop : net::Stream::Overflow::kClose;
  return sender;
}

}  // namespace sse::server
