#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sse-server/error.h"
#include "sse-server/target.h"

namespace sse {

/// An event to send.
struct SendRequest {
  Target target;                     ///< the recipients
  std::string event;                 ///< event name; empty: the browser's default, "message"
  std::string data;                  ///< UTF-8 text, such as JSON
  bool qos = false;                  ///< at least once: stored until confirmed
  std::chrono::milliseconds ttl{0};  ///< with qos; 0: ServerOptions::qos_ttl
  std::string key{};                 ///< with qos: idempotency key of the request
  std::string collapse{};            ///< with qos: replaces the pending message with the same collapse key
  bool local = false;                ///< in a cluster: only to streams of this node
  /// Further recipients, none of them kAll; with qos only users and tokens in all targets. A stream that several of the
  /// targets reach gets the event once, and confirms a message for all of them. `listening` is the same in all targets,
  /// and those of kChannel have the same `of_tenant`.
  std::vector<Target> also{};
  /// Without qos: the `clientId` of a client (all pages of a browser have the same), or the `clientInstanceId` of one
  /// of its pages, whose streams do not get the event, neither now nor when they resume; empty: all get it.
  std::string except{};
  /// The trace of the caller, W3C Trace Context, as the header `traceparent`: the log names it when the event is sent
  /// and delivered. One that is invalid is ignored; empty: none.
  std::string traceparent{};
  /// With qos: Callbacks::settled and the hook learn what becomes of it, a DeliveryReport for each recipient. Refused
  /// with kInvalidArgument where the program's own repository stores the messages.
  bool notify = false;
};

/// The result of a send.
struct SendResult {
  /// What one of the recipients got.
  struct Recipient {
    TargetKind kind = TargetKind::kAll;  ///< what `name` is
    std::string name;                    ///< a name of the target; empty for kAll
    std::uint32_t delivered = 0;         ///< streams that took the event
    std::string state{};                 ///< after a wait: `confirmed`, `expired`, `deleted`, or the delivery state
  };

  std::uint64_t id = 0;                ///< of the message
  std::uint64_t delivered = 0;         ///< streams that took the event
  std::uint64_t pending = 0;           ///< recipients it was committed for; 0 without qos
  bool repeated = false;               ///< the key was known: the result of the first request; nothing was sent
  std::vector<Recipient> recipients;   ///< one for each name of the targets; a stream counts for one of them
  std::vector<std::string> missing{};  ///< nodes that may have missed it, or did not reply in time
};

/// The outcome of one of several requests, or of an asynchronous one.
struct SendOutcome {
  SendResult result{};                 ///< without refusal
  std::optional<ErrorInfo> refusal{};  ///< set: nothing was sent for this request
};

}  // namespace sse
