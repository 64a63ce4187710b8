#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "event/target.h"
#include "store/message_repository.h"

namespace sse::delivery {

/// A send request of a caller.
struct SendRequest {
  event::Target target;  ///< normalized
  std::string event;
  std::string data;
  bool qos = false;                  ///< at least once: stored until confirmed
  std::chrono::milliseconds ttl{0};  ///< with qos; 0: the sender's default
  std::string key{};                 ///< with qos: idempotency key of the request
  std::string collapse{};            ///< with qos: replaces the pending message with the same collapse key
  bool local = false;                ///< in a cluster: only to streams of this node
  MessageId original{};              ///< of an imported message: see NewMessage
  bool awaited = false;              ///< with qos: the caller waits for confirmations, see NewMessage
};

struct SendResult {
  struct Recipient {
    event::TargetKind kind = event::TargetKind::kAll;
    std::string name;
    std::uint32_t delivered = 0;  ///< streams that took the event
    std::string state{};          ///< after a wait: `confirmed`, or another state, see state_name()
  };

  std::uint64_t id = 0;
  std::uint64_t delivered = 0;
  std::uint64_t pending = 0;  ///< recipients it was committed for; 0 without qos
  bool repeated = false;      ///< the key was known: the result of the first request; nothing was sent
  std::vector<Recipient> recipients;
  std::vector<std::string> missing{};  ///< nodes that may have missed it, or did not reply in time
};

/// The outcome of one of several requests.
struct SendOutcome {
  SendResult result;
  std::optional<store::AddOutcome::Refusal> refusal;  ///< set: nothing was sent
};

}  // namespace sse::delivery
