#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/trace_context.h"
#include "event/target.h"
#include "sse-server/send.h"

namespace sse::delivery {

/// A send request of a caller.
struct SendRequest {
  event::Target target;  ///< normalized, together with `also` and `except`
  std::string event;
  std::string data;
  bool qos = false;                     ///< at least once: stored until confirmed
  std::chrono::milliseconds ttl{0};     ///< with qos; 0: the sender's default
  std::string key{};                    ///< with qos: idempotency key of the request
  std::string collapse{};               ///< with qos: replaces the pending message with the same collapse key
  bool local = false;                   ///< in a cluster: only to streams of this node
  MessageId original{};                 ///< of an imported message: see NewMessage
  bool awaited = false;                 ///< with qos: the caller waits for confirmations, see NewMessage
  std::vector<event::Target> also{};    ///< further recipients, with qos users and tokens; a stream gets the event once
  std::string except{};                 ///< without qos: clientId or clientInstanceId of streams that do not get it
  std::optional<TraceContext> trace{};  ///< of the request
  bool notify = false;                  ///< with qos: see DeliveryReport
};

using sse::SendOutcome;
using sse::SendResult;

}  // namespace sse::delivery
