#pragma once

#include <string>
#include <vector>

#include "sse-server/export.h"
#include "sse-server/ids.h"

namespace sse {

/// What the names of a Target refer to. The names of kMember, users of one tenant, come from Target::member().
enum class TargetKind : unsigned char {
  kUser = 0,        ///< users of any tenant
  kToken = 1,       ///< access tokens
  kTenant = 2,      ///< all users of tenants
  kChannel = 3,     ///< the streams that joined channels
  kAll = 4,         ///< all streams of the service
  kMember = 5,      ///< users of one tenant
  kConnection = 6,  ///< open streams, by their ids: not with qos
};

/// The recipients of an event. A value type.
struct Target {
  TargetKind kind = TargetKind::kAll;  ///< what `names` are
  std::vector<std::string> names;      ///< user ids, tokens, …: not empty, without duplicates; empty for kAll
  bool listening = false;              ///< only connections that listen to the event's name
  /// Of kChannel: only the streams of users of this tenant; empty: of any. For other kinds it is empty.
  std::string of_tenant{};

  /// The streams of a user, of whatever tenant.
  static Target user(const UserId& id) { return {TargetKind::kUser, {id.str()}, false}; }
  /// The streams of a user of one tenant.
  SSE_API static Target member(const UserId& user, const TenantId& tenant);
  /// The streams of all users of a tenant.
  static Target tenant(const TenantId& id) { return {TargetKind::kTenant, {id.str()}, false}; }
  /// The streams of a session.
  static Target token(const AccessToken& token) { return {TargetKind::kToken, {token.str()}, false}; }
  /// The streams that joined a channel.
  static Target channel(const ChannelName& name) { return {TargetKind::kChannel, {name.str()}, false}; }
  /// Those of them that are of users of a tenant.
  static Target channel(const ChannelName& name, const TenantId& tenant) {
    return {TargetKind::kChannel, {name.str()}, false, tenant.str()};
  }
  /// One stream, while it is open: a page that reconnects has another one.
  static Target connection(ConnectionId id) { return {TargetKind::kConnection, {id.str()}, false}; }
  /// All streams of the service.
  static Target all() { return {}; }

  /// The same recipients, but only those of their streams whose page has a handler for the event.
  Target only_listening() const {
    Target target = *this;
    target.listening = true;
    return target;
  }
};

}  // namespace sse
