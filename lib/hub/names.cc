#include "hub/names.h"

#include <cstddef>

#include "hub/connection.h"
#include "hub/index.h"

namespace sse::hub {

using event::TargetKind;

Names names_of(const Connection& connection) {
  Names names;
  for (std::size_t i = 0; i < kIndexes; ++i) {
    const auto kind = static_cast<TargetKind>(i);
    if (const Group* group = connection.membership.group(kind)) names.emplace_back(kind, group->name());
  }
  const Group* user = connection.membership.group(TargetKind::kUser);
  const Group* tenant = connection.membership.group(TargetKind::kTenant);
  if (user != nullptr && tenant != nullptr)
    names.emplace_back(TargetKind::kMember, event::member_name(user->name(), tenant->name()));
  return names;
}

Names names_of(const NewConnection& connection) {
  Names names;
  const auto add = [&](TargetKind kind, const std::string& name) {
    if (!name.empty()) names.emplace_back(kind, name);
  };
  add(TargetKind::kUser, connection.identity.user.str());
  add(TargetKind::kToken, connection.identity.token.str());
  add(TargetKind::kTenant, connection.identity.tenant.str());
  add(TargetKind::kChannel, connection.channel.str());
  names.emplace_back(TargetKind::kAll, "");
  const Identity& identity = connection.identity;
  if (!identity.user.empty() && !identity.tenant.empty())
    names.emplace_back(TargetKind::kMember, event::member_name(identity.user.str(), identity.tenant.str()));
  return names;
}

std::string recipient_name(const Connection& connection, TargetKind kind) {
  if (kind == TargetKind::kMember) {
    return event::member_name(Indexes::name_of(connection, TargetKind::kUser),
                              Indexes::name_of(connection, TargetKind::kTenant));
  }
  const Connection::Rare* rare = connection.rare_or_null();
  if (kind == TargetKind::kChannel && rare != nullptr && rare->former_channel) return *rare->former_channel;
  return std::string(Indexes::name_of(connection, kind));
}

}  // namespace sse::hub
