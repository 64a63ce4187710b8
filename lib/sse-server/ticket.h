#pragma once

#include <chrono>
#include <string>

#include "sse-server/units.h"

namespace sse {

/// How long a ticket can be redeemed, unless its creator chooses another time.
inline constexpr std::chrono::milliseconds kTicketLifetime = std::chrono::seconds(30);
/// The shortest time of that choice.
inline constexpr std::chrono::milliseconds kMinTicketLifetime = std::chrono::seconds(1);
/// The longest time of that choice.
inline constexpr std::chrono::milliseconds kMaxTicketLifetime = std::chrono::minutes(10);

/// Opens one stream as the user that it was made for: the parameter `ticket` of `P/connect`. See
/// Service::create_ticket().
struct Ticket {
  std::string text;  ///< a secret until it is redeemed; letters, digits, `_` and `-`
  WallTime expires;  ///< when it can no longer be redeemed
};

}  // namespace sse
