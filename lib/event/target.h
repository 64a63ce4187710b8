#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "sse-server/target.h"

namespace sse::event {

using sse::Target;
using sse::TargetKind;
/// The number of kinds. The names of kMember come from member_name(); in the API a member is a user and a tenant, see
/// shown().
inline constexpr std::size_t kTargetKinds = 7;

/// `user`, `token`, `tenant`, `channel`, `all`, `member`, `connection`: stable names, used in tables, the database and
/// between nodes.
std::string_view kind_name(TargetKind kind);
/// Inverse of kind_name. Throws Error(kInvalidArgument).
TargetKind kind_from_name(std::string_view name);

/// User and tenant in one name, such as `3:bobacme`; unique for each pair.
std::string member_name(std::string_view user, std::string_view tenant);
/// The user and the tenant of a name from member_name(); both empty for any other name.
struct Member {
  std::string_view user;
  std::string_view tenant;
};
Member member_of(std::string_view name);

/// A kind and a name in the form of the admin API: a member is a user with a tenant.
struct ApiName {
  TargetKind kind = TargetKind::kAll;
  std::string name;
  std::string tenant{};  ///< for a member only
};
ApiName shown(TargetKind kind, std::string_view name);
/// The reverse: a user with a tenant becomes a member. Throws Error(kInvalidArgument) for a tenant with another kind.
ApiName to_target_name(TargetKind kind, std::string_view name, std::string_view tenant);

/// Longest name of a user, tenant, token or channel, bytes.
inline constexpr std::size_t kMaxNameBytes = 1024;
/// Most names in one target.
inline constexpr std::size_t kMaxNames = 10000;

/// Removes duplicate names (the first stays), then throws Error(kInvalidArgument) when there are no names or too many,
/// or a name is empty, too long or not valid UTF-8.
void normalize(Target& target);

/// The recipients of one send: the streams of the target and of `also`, but not those of the client `except`.
struct Recipients {
  Target& target;
  std::vector<Target>& also;  ///< empty: those of the target alone
  const std::string& except;  ///< a clientId or clientInstanceId; empty: of no client
};
/// Normalizes all targets, joins those of one kind, and puts channels first, through which a stream then gets the event
/// that is in one of them: it has a mark there. Throws Error(kInvalidArgument) for what normalize() refuses, for
/// targets that have no union, and with `qos` for a client, a tenant of a channel, and a union of others than users and
/// tokens.
void normalize(const Recipients& recipients, bool qos);

}  // namespace sse::event
