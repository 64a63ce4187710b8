// Shard: opening streams, and changing the events that they listen to and the channels that they are in.
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "hub/channel_event.h"
#include "hub/names.h"
#include "hub/observer.h"
#include "hub/shard.h"
#include "observe/log.h"

namespace sse::hub {

using event::TargetKind;
using net::CloseReason;

// Notifies and counts in the same order as leave(): the counters change last, after all observers were notified.
void Shard::refused(ConnectionId id, const NewConnection& request) {
  if (options_.in_cluster) delegate_.left(names_of(request));
  if (options_.observer != nullptr) {
    ConnectionInfo info;
    info.id = id;
    info.identity = request.identity;
    for (const JoinedChannel& channel : request.channels) info.channels.push_back(channel.name);
    if (!info.channels.empty()) info.channel = info.channels.front();
    info.listeners = request.listeners;
    info.attributes = request.attributes;
    info.created = info.as_of = clock().wall_now();
    options_.observer->disconnected(options_.service, std::move(info), CloseReason::kRefused, "");
  }
  // Counted as opened and closed, so that the counters match.
  metrics_.opened.add();
  metrics_.closed.at(static_cast<std::size_t>(CloseReason::kRefused))->add();
}

void Shard::connect(ConnectionId id, NewConnection request, const event::FrameRef& first, Resumption resumption) {
  loop_.assert_in_loop_thread();
  std::unique_ptr<Connection> owned;
  try {
    owned = std::make_unique<Connection>(id, host_, std::move(request.socket), request.chunked);
  } catch (const Error& e) {
    observe::log_error("stream refused", {{"connection", id.str()}, {"error", e.what()}});
    refused(id, request);
    return;
  }
  // What was sent before is for the streams that were open then.
  begin_all_steps();
  Connection& connection = registry_.add(std::move(owned), request);
  connection.passes_taken = passes_.newest();
  if (request.ticket) connection.rare().ticket = std::move(request.ticket);
  connection.keepalive_millis =
      static_cast<std::uint32_t>(std::min<std::int64_t>(request.keepalive.count(), UINT32_MAX));
  connection.ends_with_token = request.ends_with_token;
  connection.pings = request.pings;
  connection.ends = request.ends;
  connection.channel_marks = request.channel_marks;
  metrics_.opened.add();
  metrics_.connections.add(1);

  connection.append(event::Frame::make_unframed(request.response_head.append(first->view(request.chunked).bytes())));
  connection.messages = static_cast<std::uint32_t>(1 + request.refused_channels.size());
  writes_.add_first(connection);
  if (options_.observer != nullptr) options_.observer->connected(options_.service, describe(connection));
  connection.confirms = request.confirms && !request.identity.user.empty();
  connection.marks = connection.confirms && request.marks;
  if (connection.confirms) {
    connection.ignore_tcp_acknowledgements();
    if (request.last_event != 0) {
      const std::string client = form_value(request.attributes.query, "clientId");
      const std::vector<Confirmed> confirmed =
          acks_.confirm_earlier(connection, client, request.last_event, registry_.clients());
      notify_confirmed(confirmed);
      if (!confirmed.empty()) connection.replay = std::make_unique<ReplaySession>();
      for (const Confirmed& one : confirmed) connection.replay->cover(one.message);
    }
  }
  if (options_.resumable) {
    published(MessageId(resumption.id.valid() ? resumption.id.value() : id.value()));
    if (!connection.replay) connection.replay = std::make_unique<ReplaySession>();
    connection.replay->resume(published_, std::move(resumption.missed), resumption.client_cursor);
  }
  limit_client(connection, request.attributes);
  if (channel_review_ && request.channel_version != channel_review_->version) review_channels(connection);
  request_page(connection);
  schedule_check(connection);
  observe::log_debug("stream opened", {{"service", options_.service.str()},
                                       {"connection", id.str()},
                                       {"user", request.identity.user.str()},
                                       {"address", request.attributes.address}});
}

void Shard::limit_client(const Connection& newest, const Attributes& attributes) {
  const std::optional<ClientKey> client = registry_.clients().limited_client(newest, attributes);
  if (!client) return;
  for (Connection* oldest : registry_.clients().excess(*client)) close(*oldest, CloseReason::kReplaced, true);
  if (options_.in_cluster) delegate_.client_opened(*client, newest.id);
}

void Shard::review_channels(Connection& connection) {
  loop_.assert_in_loop_thread();
  if (!channel_review_ || !connection.indexed) return;
  std::vector<std::string> lost;
  const Identity who{UserId(std::string(Indexes::name_of(connection, TargetKind::kUser))),
                     TenantId(std::string(Indexes::name_of(connection, TargetKind::kTenant))),
                     {}};
  connection.membership.for_each_channel([&](const Group& group, ChannelSource source) {
    if (source != ChannelSource::kLasting && !channel_review_->may_stay(who, group.name(), source))
      lost.emplace_back(group.name());
  });
  for (const std::string& channel : lost) revoke_channel(connection, channel);
}

std::vector<bool> Shard::subscribe(Connection& connection, const std::vector<JoinedChannel>& channels,
                                   std::uint32_t version, std::vector<bool>& fresh) {
  loop_.assert_in_loop_thread();
  // What was sent before is for the streams that were in the channels then.
  finish_earlier(connection);
  std::vector<bool> in(channels.size());
  std::vector<std::string> joined;
  std::size_t count = channels_of(connection).size();
  for (std::size_t i = 0; i < channels.size(); ++i) {
    in[i] = in_channel(connection, channels[i].name.str());
    if (in[i] || count == kMaxChannels || !connection.open()) continue;
    registry_.join_channel(connection, channels[i].name.str(), channels[i].source);
    joined.push_back(channels[i].name.str());
    in[i] = fresh[i] = true;
    ++count;
  }
  if (joined.empty()) return in;
  if (channel_review_ && version != channel_review_->version) review_channels(connection);
  if (connection.open()) replay_channels(connection, joined);
  return in;
}

bool Shard::unsubscribe(Connection& connection, const std::string& channel) {
  loop_.assert_in_loop_thread();
  if (!in_channel(connection, channel)) return false;
  leave_channel(connection, channel);
  return true;
}

// The stream stays open, and in its other channels. What it has been sent in the channel, its client may still confirm;
// what it has not been sent remains pending for others.
void Shard::leave_channel(Connection& connection, const std::string& channel) {
  finish_earlier(connection);
  if (!connection.open()) return;
  if (Indexes::name_of(connection, TargetKind::kChannel) == channel)
    connection.rare().former_channel = std::make_unique<std::string>(channel);
  if (connection.replay) {
    connection.replay->drop_messages_of(channel, [&](const event::Frame& frame) { return connection.size_of(frame); });
  }
  registry_.leave_channel(connection, channel);
  if (options_.in_cluster) delegate_.left({{TargetKind::kChannel, channel}});
}

void Shard::revoke_channel(Connection& connection, const std::string& channel) {
  leave_channel(connection, channel);
  if (!connection.open()) return;
  metrics_.channels_revoked.add();
  observe::log_debug("stream left a channel: no rule allows it any more",
                     {{"service", options_.service.str()},
                      {"connection", connection.id.str()},
                      {"user", std::string(Indexes::name_of(connection, TargetKind::kUser))},
                      {"channel", printable(channel, 200)}});
  append(connection, event::Frame::make(encode_channel_refused({ChannelName(channel), kChannelRevoked})));
}

ListenerSet Shard::change_listeners(Connection& connection, const std::vector<std::string>& names, bool add) {
  loop_.assert_in_loop_thread();
  finish_earlier(connection);
  ListenerSet changed = *connection.listeners;
  std::vector<std::string> fresh;
  std::vector<std::string> gone;
  for (const std::string& name : names) {
    if (!add) {
      if (changed.erase(name) != 0) gone.push_back(name);
    } else if (changed.insert(name).second) {
      fresh.push_back(name);
    }
  }
  registry_.set_listeners(connection, changed);
  if (!fresh.empty()) replay_for(connection, fresh);
  if (options_.observer != nullptr && (!fresh.empty() || !gone.empty()))
    options_.observer->listening_changed(options_.service, describe(connection), add ? fresh : gone, add);
  return changed;
}

}  // namespace sse::hub
