#include "hub/names.h"

#include <cstddef>

#include "hub/channel_event.h"
#include "hub/connection.h"
#include "hub/index.h"

namespace sse::hub {

using event::TargetKind;

Names names_of(const Connection& connection) {
  Names names;
  for (std::size_t i = 0; i < kIndexes; ++i) {
    const auto kind = static_cast<TargetKind>(i);
    if (kind == TargetKind::kChannel) {
      connection.membership.for_each_channel(
          [&](const Group& group, ChannelSource) { names.emplace_back(kind, group.name()); });
    } else if (const Group* group = connection.membership.group(kind)) {
      names.emplace_back(kind, group->name());
    }
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
  for (const JoinedChannel& channel : connection.channels) add(TargetKind::kChannel, channel.name.str());
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

std::string recipient_name(const Connection& connection, const event::Frame& frame) {
  return has_channel(frame) ? std::string(frame.channel()) : recipient_name(connection, frame.recipient());
}

Names take_recipients(Connection& connection, TargetKind kind, MessageId message) {
  const Connection::Rare* rare = connection.rare_or_null();
  if (rare != nullptr && rare->message_recipients) {
    Names recipients = rare->message_recipients->take(message);
    if (!recipients.empty()) return recipients;
  }
  if (rare != nullptr && rare->former_names) return {{kind, recipient_name(*rare->former_names, kind)}};
  return {{kind, recipient_name(connection, kind)}};
}

bool in_channel(const Connection& connection, std::string_view channel) {
  bool found = false;
  connection.membership.for_each_channel(
      [&](const Group& group, ChannelSource) { found = found || group.name() == channel; });
  return found;
}

std::vector<ChannelName> channels_of(const Connection& connection) {
  std::vector<ChannelName> channels;
  connection.membership.for_each_channel(
      [&](const Group& group, ChannelSource) { channels.emplace_back(std::string(group.name())); });
  return channels;
}

bool owns(const Identity& caller, const Connection& connection) {
  return !caller.user.empty() && Indexes::name_of(connection, TargetKind::kUser) == caller.user.str() &&
         Indexes::name_of(connection, TargetKind::kTenant) == caller.tenant.str();
}

}  // namespace sse::hub
