// Shard: opening streams, and changing the events that they listen to.
#include <algorithm>
#include <string>
#include <utility>

#include "base/error.h"
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
  for (const JoinedChannel& channel : request.channels) presence_.joined(connection, channel.name.str());
  if (request.ticket) connection.rare().ticket = std::move(request.ticket);
  if (!request.granted_channels.empty()) {
    connection.rare().granted_channels =
        std::make_unique<std::vector<std::string>>(std::move(request.granted_channels));
  }
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
    published_ = std::max(published_, MessageId(resumption.id.valid() ? resumption.id.value() : id.value()));
    if (!connection.replay) connection.replay = std::make_unique<ReplaySession>();
    connection.replay->resume(published_, std::move(resumption.missed), resumption.client_cursor);
  }
  limit_client(connection, request.attributes);
  channels_.joined_by(connection, request.channel_version);
  for (const ChannelName& channel : request.presence) presence_.watch(connection, channel.str());
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
  if (!gone.empty() && connection.replay) connection.replay->drop_listeners(gone);
  if (!fresh.empty()) replay_for(connection, fresh);
  if (options_.observer != nullptr && (!fresh.empty() || !gone.empty()))
    options_.observer->listening_changed(options_.service, describe(connection), add ? fresh : gone, add);
  return changed;
}

}  // namespace sse::hub
