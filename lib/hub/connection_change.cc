#include "hub/connection_change.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "base/url.h"
#include "event/target.h"
#include "hub/channel_review.h"
#include "hub/client_tag.h"

namespace sse::hub {
namespace {

// As much as a page and the application may give a stream when it opens.
constexpr std::size_t kMaxParameters = std::size_t{32} * 1024;

void check_attribute(const std::string& name) {
  if (name.empty()) throw Error(ErrorCode::kInvalidArgument, "the name of an attribute is empty");
  if (name == kClientId || name == kClientInstanceId)
    throw Error(ErrorCode::kInvalidArgument, "the attribute '" + name + "' is the page's and cannot be changed");
}

void check_channels(const std::vector<ChannelName>& channels) {
  if (channels.empty()) return;
  event::Target target{event::TargetKind::kChannel, {}, false};
  for (const ChannelName& channel : channels) target.names.push_back(channel.str());
  event::normalize(target);
  // Before a cluster subscribes to their events.
  if (target.names.size() > kMaxChannels) {
    throw Error(ErrorCode::kLimitExceeded, "the change names " + std::to_string(target.names.size()) +
                                               " channels; a connection is in at most " + std::to_string(kMaxChannels));
  }
}

std::string changed(std::string_view query, const ConnectionChange& change) {
  FormParameters parameters = form_parameters(query);
  const auto drop = [&](const std::string& name) {
    std::erase_if(parameters, [&](const auto& one) { return one.first == name; });
  };
  for (const std::string& name : change.remove) drop(name);
  for (const auto& [name, value] : change.attributes) {
    drop(name);
    parameters.emplace_back(name, value);
  }
  std::string form = form_encode(parameters);
  if (form.size() > kMaxParameters)
    throw Error(ErrorCode::kTooLarge, "the connection's parameters and attributes are larger than 32 KiB");
  return form;
}

void change_attributes(const Hub& hub, const ConnectionInfo& info, const ConnectionChange& change) {
  // Prepared here, where a large one delays no stream; another change meanwhile loses to this one.
  Attributes attributes = info.attributes;
  attributes.query = changed(attributes.query, change);
  hub.directory().visit(info.identity.user, [&](Shard& shard, std::size_t) {
    if (Connection* connection = shard.find(info.id)) connection->keep_attributes(attributes);
  });
}

}  // namespace

std::optional<ConnectionInfo> change_connection(Hub& hub, ConnectionId id, const ConnectionChange& change) {
  for (const auto& [name, value] : change.attributes) check_attribute(name);
  for (const std::string& name : change.remove) check_attribute(name);
  check_channels(change.join);
  check_channels(change.leave);
  std::optional<ConnectionInfo> info = hub.directory().describe(id);
  if (!info) return std::nullopt;
  if (!change.attributes.empty() || !change.remove.empty()) change_attributes(hub, *info, change);
  std::vector<JoinedChannel> joined;
  for (const ChannelName& channel : change.join) joined.push_back({channel, ChannelSource::kLasting});
  if (!joined.empty()) hub.subscribe(id, info->identity, joined, 0);
  if (!change.leave.empty()) hub.unsubscribe(id, info->identity, change.leave);
  info = hub.directory().describe(id);
  if (!info) return std::nullopt;
  const auto is_in = [](const std::vector<ChannelName>& channels, const ChannelName& channel) {
    return std::ranges::find(channels, channel) != channels.end();
  };
  for (const ChannelName& channel : change.join) {
    if (!is_in(info->channels, channel) && !is_in(change.leave, channel)) {
      throw Error(ErrorCode::kLimitExceeded, "the connection cannot join '" + printable(channel.str(), 60) +
                                                 "': it has no user, or is in as many channels as it may");
    }
  }
  return info;
}

}  // namespace sse::hub
