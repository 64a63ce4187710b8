#include "event/target.h"

#include <array>
#include <cstdint>
#include <unordered_set>

#include "base/error.h"
#include "base/text.h"

namespace sse::event {
namespace {

constexpr std::array<std::string_view, kTargetKinds> kKindNames{"user", "token", "tenant", "channel", "all", "member"};

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
  throw Error(ErrorCode::kInvalidArgument,
              "'" + printable(name, 40) + "' is not a kind of target; use user, token, tenant, channel or all");
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
    if (!target.names.empty()) throw Error(ErrorCode::kInvalidArgument, "a target 'all' takes no names");
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
  for (const std::string& name : target.names) {
    if (target.kind == TargetKind::kMember) {
      const Member member = member_of(name);
      require_name(member.user, "user");
      require_name(member.tenant, "tenant");
    } else {
      require_name(name, kind);
    }
  }
}

}  // namespace sse::event

namespace sse {

Target Target::member(const UserId& user, const TenantId& tenant) {
  return {TargetKind::kMember, {event::member_name(user.str(), tenant.str())}, false};
}

}  // namespace sse
