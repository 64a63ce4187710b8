#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "cluster/redis/redis_reply.h"
#include "event/target.h"
#include "store/message_repository.h"
#include "store/store_limits.h"
#include "store/withdrawals.h"

/// What RedisRepository writes into the keys and arguments of its scripts and reads from their replies. Pure functions.
namespace sse::cluster::redis_values {

/// Limits of one script or read, because Redis does nothing else meanwhile.
inline constexpr std::size_t kConfirmationBatch = 500;
inline constexpr std::size_t kScanPage = 500;
inline constexpr std::size_t kAddMessages = 500;
inline constexpr std::size_t kAddBytes = std::size_t{4} << 20;
/// Declared to each script; the others are in its slot if the prefix has a hash tag.
inline constexpr const char* kDeclaredKey = "count";
/// Characters of a member.
inline constexpr std::size_t kMemberSize = 20;

/// The member of an id, see redis_repository_scripts.h.
std::string member_of(MessageId id);
/// 0 for text that is not a number.
std::uint64_t number(const std::string& text);
/// Inverse of member_of(); an invalid id for anything else.
MessageId id_of(const std::string& member);
/// Parses concatenated members.
std::vector<MessageId> ids_of(std::string_view members);
/// Parses the messages that this one replaced, as returned by keep() in the scripts.
void note_replaced(const store::NewMessage& message, std::string_view replaced, std::vector<store::Withdrawn>& gone);
/// Not negative.
std::uint64_t integer(const RedisReply& reply);
/// Parses groups of service, kind, name, member from `begin` on.
std::vector<store::Withdrawn> withdrawn_in(const std::vector<RedisReply>& list, std::size_t begin, std::size_t end,
                                           store::Withdrawn::Why why);
/// The kind that stands in a message's hash, and the name of a recipient in its set of names.
std::string stored_kind(const store::NewMessage& message);
std::string stored_name(const store::NewMessage& message, const store::Recipient& recipient);
/// The recipient of a stored kind and name. Throws Error(kInvalidArgument) for an unknown kind.
store::Recipient stored_recipient(const std::string& kind, const std::string& name);
/// Same as who() in the scripts.
std::string recipient_of(const ServiceName& service, event::TargetKind kind, const std::string& name);
/// Whether the filter selects the row.
bool matches(const store::MessageFilter& filter, const store::PendingMessage& row);
/// The Error for lack of room, in the wording that all stores share.
Error refusal(const store::StoreLimits& limits, const std::string& why, const store::Recipient& recipient,
              store::Usage usage, std::uint64_t pairs, std::uint64_t bytes);
/// Parses the output of who() in the scripts; false for anything else.
bool read_recipient(std::string_view text, ServiceName& service, store::Recipient& recipient);

}  // namespace sse::cluster::redis_values
