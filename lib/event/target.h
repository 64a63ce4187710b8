#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace sse::event {

/// What the names of a Target are.
enum class TargetKind : unsigned char { kUser = 0, kToken = 1, kTenant = 2, kChannel = 3, kAll = 4 };

/// `user`, `token`, `tenant`, `channel`, `all`: stable, used in JSON, tables and the database.
std::string_view kind_name(TargetKind kind);
/// Inverse of kind_name. Throws Error(kInvalidArgument).
TargetKind kind_from_name(std::string_view name);

/// Whom an event is for. A value: made once, passed down.
struct Target {
  TargetKind kind = TargetKind::kAll;
  std::vector<std::string> names;  ///< user ids, tokens, …: not empty, no doubles; empty for kAll
  bool listening = false;          ///< only connections that listen to the event's name

  static Target user(const UserId& id) { return {TargetKind::kUser, {id.str()}, false}; }
  static Target channel(const ChannelName& name) { return {TargetKind::kChannel, {name.str()}, false}; }
  static Target all() { return {}; }
};

/// Longest name of a user, tenant, token or channel, bytes.
inline constexpr std::size_t kMaxNameBytes = 1024;
/// Most names in one target.
inline constexpr std::size_t kMaxNames = 10000;

/// Drops doubled names (the first stays), then throws Error(kInvalidArgument) when the target names nothing, too much,
/// or a name is empty, too long or not valid UTF-8.
void normalize(Target& target);

}  // namespace sse::event
