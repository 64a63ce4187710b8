#include "delivery/recipient_limit.h"

#include <string>

#include "base/text.h"

namespace sse::delivery {

Error recipient_limit_reached(const Recipient& recipient, std::uint64_t count) {
  std::string who(event::kind_name(recipient.kind));
  if (recipient.kind == event::TargetKind::kToken) {
    who += " '" + printable(mask_secret(recipient.name), 60) + "'";
  } else if (recipient.kind != event::TargetKind::kAll) {
    who += " '" + printable(recipient.name, 60) + "'";
  }
  return {ErrorCode::kLimitExceeded,
          who + " already has " + std::to_string(count) +
              " pending messages, the most that --qos-max-per-user allows; wait until some are confirmed, delete some "
              "with 'ssectl messages delete', or raise the option"};
}

}  // namespace sse::delivery
