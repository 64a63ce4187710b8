#include "store/store_limits.h"

#include <string>

#include "base/text.h"

namespace sse::store {
namespace {

std::string shown(const Recipient& recipient) {
  std::string subject(event::kind_name(recipient.kind));
  if (recipient.kind == event::TargetKind::kToken) {
    subject += " '" + printable(mask_secret(recipient.name), 60) + "'";
  } else if (recipient.kind == event::TargetKind::kMember) {
    const event::Member member = event::member_of(recipient.name);
    subject = "user '" + printable(member.user, 60) + "' of tenant '" + printable(member.tenant, 60) + "'";
  } else if (recipient.kind != event::TargetKind::kAll) {
    subject += " '" + printable(recipient.name, 60) + "'";
  }
  return subject;
}

Error full(const std::string& subject, std::uint64_t count, const std::string& what, const std::string& option) {
  return {ErrorCode::kLimitExceeded,
          subject + " already has " + std::to_string(count) + " pending " + what + ", the most that " + option +
              " allows; wait until some are confirmed, delete some with 'ssectl messages delete', or raise the option"};
}

bool over(std::uint64_t now, std::uint64_t more, std::uint64_t max) {
  return max != 0 && (now >= max || more > max - now);
}

}  // namespace

void require_room(const StoreLimits& limits, const Recipient& recipient, const Usage& usage, std::uint64_t bytes) {
  if (over(usage.count, 1, limits.per_recipient))
    throw full(shown(recipient), usage.count, "messages", "--qos-max-per-user");
  if (over(usage.bytes, bytes, limits.bytes_per_recipient.count())) {
    throw full(shown(recipient), usage.bytes, "bytes, and this message has " + std::to_string(bytes),
               "--qos-max-bytes-per-user (" + format_bytes(limits.bytes_per_recipient) + ")");
  }
}

void require_room(const StoreLimits& limits, const Usage& total, std::uint64_t pairs, std::uint64_t bytes) {
  if (over(total.count, pairs, limits.total)) {
    throw full("this server", total.count, "messages, and this one is for " + std::to_string(pairs),
               "--qos-max-total (" + std::to_string(limits.total) + ")");
  }
  if (over(total.bytes, bytes, limits.total_bytes.count())) {
    throw full("this server", total.bytes, "bytes, and this message has " + std::to_string(bytes),
               "--qos-max-total-bytes (" + format_bytes(limits.total_bytes) + ")");
  }
}

}  // namespace sse::store
