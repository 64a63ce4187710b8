#include "event/target.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace sse::event {
namespace {

constexpr std::array<std::string_view, kTargetKinds> kKindNames{"user", "token",  "tenant",    "channel",
                                                                "all",  "member", "connection"};

void require_name(std::string_view name, const std::string& kind) {
  if (name.empty()) throw Error(ErrorCode::kInvalidArgument, "the target holds an empty " + kind);
  if (name.size() > kMaxNameBytes) {
    throw Error(ErrorCode::kInvalidArgument, "the target holds a " + kind + " of " + std::to_string(name.size()) +
                                                 " bytes, at most " + std::to_string(kMaxNameBytes) + " are allowed");
  }
  if (!is_valid_utf8(name))
    throw Error(ErrorCode::kInvalidArgument, "the target holds a " + kind + " that is not valid UTF-8");
}

}  // namespace

std::string_view kind_name(TargetKind kind) {
  return kKindNames.at(static_cast<std::size_t>(kind));
}

TargetKind kind_from_name(std::string_view name) {
  for (std::size_t i = 0; i < kKindNames.size(); ++i) {
    if (kKindNames.at(i) == name) return static_cast<TargetKind>(i);
  }
  throw Error(
      ErrorCode::kInvalidArgument,
      "'" + printable(name, 40) + "' is not a kind of target; use user, token, tenant, channel, connection or all");
}

std::string member_name(std::string_view user, std::string_view tenant) {
  std::string name = std::to_string(user.size());
  name.reserve(name.size() + 1 + user.size() + tenant.size());
  return name.append(1, ':').append(user).append(tenant);
}

Member member_of(std::string_view name) {
  std::uint64_t size = 0;
  if (!take_number(name, ':', size) || size > name.size()) return {};
  return {name.substr(0, size), name.substr(size)};
}

ApiName shown(TargetKind kind, std::string_view name) {
  if (kind != TargetKind::kMember) return {kind, std::string(name)};
  const Member member = member_of(name);
  return {TargetKind::kUser, std::string(member.user), std::string(member.tenant)};
}

ApiName to_target_name(TargetKind kind, std::string_view name, std::string_view tenant) {
  if (tenant.empty()) return {kind, std::string(name)};
  if (kind != TargetKind::kUser)
    throw Error(ErrorCode::kInvalidArgument, "a tenant is allowed for users only: it selects the user of that tenant");
  return {TargetKind::kMember, member_name(name, tenant)};
}

void normalize(Target& target) {
  const std::string kind(target.kind == TargetKind::kMember ? "user" : kind_name(target.kind));
  if (target.kind == TargetKind::kAll) {
    if (!target.names.empty() || !target.of_tenant.empty())
      throw Error(ErrorCode::kInvalidArgument, "a target 'all' takes no names and no tenant");
    return;
  }
  if (target.names.size() > 1) {
    std::unordered_set<std::string> seen;
    std::erase_if(target.names, [&](const std::string& name) { return !seen.insert(name).second; });
  }
  if (target.names.empty()) throw Error(ErrorCode::kInvalidArgument, "the target names no " + kind);
  if (target.names.size() > kMaxNames) {
    throw Error(ErrorCode::kInvalidArgument, "the target names " + std::to_string(target.names.size()) + " " + kind +
                                                 "s, at most " + std::to_string(kMaxNames) + " fit one send");
  }
  if (!target.of_tenant.empty()) {
    if (target.kind != TargetKind::kChannel)
      throw Error(ErrorCode::kInvalidArgument,
                  "a tenant selects streams of users and of channels, not of " + kind + "s");
    require_name(target.of_tenant, "tenant");
  }
  for (const std::string& name : target.names) {
    if (target.kind == TargetKind::kMember) {
      const Member member = member_of(name);
      require_name(member.user, "user");
      require_name(member.tenant, "tenant");
    } else {
      require_name(name, kind);
      if (target.kind == TargetKind::kConnection && parse_id(name).value_or(0) == 0) {
        throw Error(ErrorCode::kInvalidArgument, "the target holds '" + printable(name, 40) +
                                                     "', which is not the id of a connection: that is a number, as "
                                                     "'connectionId' in the first event of a stream");
      }
    }
  }
}

namespace {

// Recipients whose streams are those of one person, by whatever name.
bool is_person(TargetKind kind) {
  return kind == TargetKind::kUser || kind == TargetKind::kToken || kind == TargetKind::kMember;
}

void require_storable(const Recipients& recipients) {
  const auto bad = [](const char* sentence) { throw Error(ErrorCode::kInvalidArgument, sentence); };
  if (!recipients.also.empty() &&
      !(is_person(recipients.target.kind) &&
        std::ranges::all_of(recipients.also, [](const Target& one) { return is_person(one.kind); }))) {
    bad("with qos a send to several kinds of recipients is for users and tokens only, because the message is stored "
        "for "
        "each of them until it is confirmed; send to the others without qos, or in a request of their own");
  }
  if (!recipients.except.empty()) {
    bad("with qos no client can be left out, because the message is stored for its recipients, whichever client they "
        "use; leave out 'except', or send without qos");
  }
  if (recipients.target.kind == TargetKind::kConnection) {
    bad("with qos an event cannot be for a connection, because the message would be stored for a stream that does not "
        "come back: a page that reconnects has another one; name its user or token, or send without qos");
  }
  if (!recipients.target.of_tenant.empty()) {
    bad("with qos the streams of one tenant cannot be selected in a channel, because the message is stored for the "
        "whole channel; name users with their tenant, or send without qos");
  }
}

// Throws if one event cannot be for all of the targets.
void require_union(const std::vector<Target>& targets) {
  const auto bad = [](const char* sentence) { throw Error(ErrorCode::kInvalidArgument, sentence); };
  std::size_t names = 0;
  const std::string* tenant = nullptr;
  for (const Target& target : targets) {
    names += target.names.size();
    if (target.kind == TargetKind::kAll) bad("the target has all streams of the service already; leave out the others");
    if (target.listening != targets.front().listening) bad("'listening' must be the same in all targets of a send");
    if (target.kind != TargetKind::kChannel) continue;
    if (tenant != nullptr && *tenant != target.of_tenant) bad("the channels of a send must be for the same tenant");
    tenant = &target.of_tenant;
  }
  if (names <= kMaxNames) return;
  throw Error(ErrorCode::kInvalidArgument, "the target names " + std::to_string(names) + " recipients, at most " +
                                               std::to_string(kMaxNames) + " fit one send");
}

}  // namespace

void normalize(const Recipients& recipients, bool qos) {
  if (!recipients.except.empty()) require_name(recipients.except, "client to leave out");
  if (recipients.also.empty()) {
    normalize(recipients.target);
  } else {
    std::vector<Target> targets = std::move(recipients.also);
    targets.insert(targets.begin(), std::move(recipients.target));
    require_union(targets);
    std::ranges::stable_sort(targets, {}, [](const Target& target) {
      return target.kind == TargetKind::kChannel ? -1 : static_cast<int>(target.kind);
    });
    std::vector<Target>& joined = recipients.also;
    joined.clear();
    for (Target& target : targets) {
      if (joined.empty() || joined.back().kind != target.kind) {
        joined.push_back(std::move(target));
      } else {
        joined.back().names.insert(joined.back().names.end(), target.names.begin(), target.names.end());
      }
    }
    for (Target& target : joined) normalize(target);
    recipients.target = std::move(joined.front());
    joined.erase(joined.begin());
  }
  if (qos) require_storable(recipients);
}

}  // namespace sse::event

namespace sse {

Target Target::member(const UserId& user, const TenantId& tenant) {
  return {TargetKind::kMember, {event::member_name(user.str(), tenant.str())}, false};
}

}  // namespace sse
