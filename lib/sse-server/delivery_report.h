#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sse-server/export.h"
#include "sse-server/ids.h"
#include "sse-server/message_repository.h"
#include "sse-server/units.h"

namespace sse {

/// What became of a message that was sent with SendRequest::notify, for one of its recipients. Each recipient for which
/// the message was stored causes exactly one.
struct DeliveryReport {
  /// Why the recipient no longer has it pending.
  enum class Outcome : unsigned char {
    kConfirmed,  ///< the recipient confirmed it
    kExpired,    ///< its time to live passed, and it left no dead letter
    kDead,       ///< its time to live passed; it is a dead letter, which an operator can send again
    kDeleted,    ///< an operator deleted it
    kReplaced,   ///< a younger message with the same SendRequest::collapse took its place
  };

  Outcome outcome = Outcome::kConfirmed;  ///< the reason
  ServiceName service{};                  ///< the service it was sent to
  Recipient recipient{};                  ///< for which it was stored
  MessageId id{};                         ///< of the message, as in SendResult::id
  /// Valid: the message was imported, or sent again as a dead letter, and first had this id.
  MessageId original{};
  std::string event{};         ///< its event name
  std::string key{};           ///< SendRequest::key of the send that stored it; empty: none
  WallTime created{};          ///< when it was sent
  WallTime time{};             ///< when the recipient no longer had it
  std::uint32_t attempts = 0;  ///< deliveries that were counted by then

  /// Compares everything.
  friend bool operator==(const DeliveryReport&, const DeliveryReport&) = default;
};

/// `confirmed`, `expired`, `dead`, `deleted` or `replaced`.
SSE_API std::string_view outcome_name(DeliveryReport::Outcome outcome);

}  // namespace sse
