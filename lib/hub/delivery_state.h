#pragma once

#include <string>

#include "base/ids.h"
#include "event/target.h"

namespace sse::hub {

/// A pending message and its delivery state.
struct DeliveryState {
  enum class State : unsigned char {
    kOffline,       ///< no connection matches
    kNotListening,  ///< connections match, but none listens to the event
    kWaiting,       ///< connections match and will get it
    kInFlight,      ///< sent on a stream, not confirmed
  };

  event::TargetKind kind = event::TargetKind::kAll;
  std::string name;
  MessageId message;
  std::string event;
  bool listening = false;
  State state = State::kOffline;
  ConnectionId connection{};  ///< in flight: the latest connection it was sent on
  bool unread = false;        ///< in a cluster: a node that may know more did not reply
};

}  // namespace sse::hub
