#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "delivery/remote_nodes.h"
#include "hub/hub.h"
#include "store/message_repository.h"

namespace sse::delivery {

/// `in-flight`, `waiting`, `not-listening`, `offline`; `unknown` when a node that may know more did not reply.
std::string_view state_name(const hub::DeliveryState& message);

/// Finds the delivery states of pending messages on this node and the other ones. Thread safe; not on a loop thread.
class DeliveryStates {
 public:
  /// `hub` and `remote_nodes`, which may be null, must outlive this object.
  DeliveryStates(ServiceName service, hub::Hub& hub, RemoteNodes* remote_nodes)
      : service_(std::move(service)), hub_(hub), remote_nodes_(remote_nodes) {}

  /// Fills in `state` and `connection`. `missing` gets the nodes that did not reply, each once.
  void find(std::vector<hub::DeliveryState>& messages, std::vector<std::string>& missing);
  std::vector<hub::DeliveryState> find(const std::vector<store::PendingMessage>& rows,
                                       std::vector<std::string>& missing);

 private:
  const ServiceName service_;
  hub::Hub& hub_;
  RemoteNodes* const remote_nodes_;
};

}  // namespace sse::delivery
