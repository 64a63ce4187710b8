#pragma once

#include <cstdint>

#include "base/error.h"
#include "delivery/message_repository.h"

namespace sse::delivery {

/// The Error(kLimitExceeded) for a recipient with `count` pending messages. Names the option; masks tokens.
Error recipient_limit_reached(const Recipient& recipient, std::uint64_t count);

}  // namespace sse::delivery
