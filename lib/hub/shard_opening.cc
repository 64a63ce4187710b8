// Shard: opening streams, and changing the events they listen to.
#include <algorithm>
#include <utility>

#include "base/error.h"
#include "event/event.h"
#include "hub/observer.h"
#include "hub/session_duration.h"
#include "hub/shard.h"
#include "observe/log.h"

namespace sse::hub {

using event::TargetKind;
using net::CloseReason;

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

// Notifies and counts in the same order as leave(): the counters change last, after all observers were notified.
void Shard::refused(ConnectionId id, const NewConnection& request) {
  if (options_.in_cluster) delegate_.left(names_of(request));
  if (options_.observer != nullptr) {
    ConnectionInfo info;
    info.id = id;
    info.identity = request.identity;
    info.channel = request.channel;
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
  Connection& connection = *owned;
  if (request.ticket) connection.rare().ticket = std::move(request.ticket);
  connection.keepalive_millis =
      static_cast<std::uint32_t>(std::min<std::int64_t>(request.keepalive.count(), UINT32_MAX));
  connection.ends_with_token = request.ends_with_token;
  connection.listeners = listener_sets_.intern(ListenerSet(request.listeners.begin(), request.listeners.end()));
  connection.keep_attributes(request.attributes);

  connections_.insert(owned.release());
  connection.indexed = true;
  indexes_.join(connection, TargetKind::kUser, request.identity.user.str());
  indexes_.join(connection, TargetKind::kToken, request.identity.token.str());
  indexes_.join(connection, TargetKind::kTenant, request.identity.tenant.str());
  indexes_.join(connection, TargetKind::kChannel, request.channel.str());
  indexes_.join(connection, TargetKind::kAll, "");
  clients_.joined(connection);
  update_counts();
  metrics_.opened.add();
  metrics_.connections.add(1);

  connection.append(event::Frame::make_unframed(request.response_head.append(first->view(request.chunked).bytes())));
  connection.messages = 1;
  if (options_.observer != nullptr) options_.observer->connected(options_.service, describe(connection));
  connection.confirms = request.confirms && !request.identity.user.empty();
  connection.marks = connection.confirms && request.marks;
  if (connection.confirms) {
    connection.ignore_tcp_acknowledgements();
    if (request.last_event != 0) {
      const std::string client = form_value(request.attributes.query, "clientId");
      std::vector<MessageId> covered = confirm_earlier(connection, client, request.last_event);
      if (!covered.empty()) {
        connection.replay = std::make_unique<Connection::Replay>();
        connection.replay->covered = std::move(covered);
      }
    }
  }
  if (options_.resumable) {
    published(MessageId(resumption.id.valid() ? resumption.id.value() : id.value()));
    if (!connection.replay) connection.replay = std::make_unique<Connection::Replay>();
    connection.replay->catch_up.begin(published_, std::move(resumption.missed), resumption.client_cursor);
  }
  limit_client(connection, request.attributes);
  request_page(connection);
  schedule_check(connection);
  observe::log_debug("stream opened", {{"service", options_.service.str()},
                                       {"connection", id.str()},
                                       {"user", request.identity.user.str()},
                                       {"address", request.attributes.address}});
}

void Shard::limit_client(const Connection& new_connection, const Attributes& attributes) {
  const Group* same_user = new_connection.membership.group(TargetKind::kUser);
  const std::size_t most = options_.client_max_connections;
  if (most == 0 || same_user == nullptr || (same_user->size() <= most && !options_.in_cluster)) return;
  ClientKey key{std::string(same_user->name()), form_value(attributes.query, "clientId"), attributes.origin,
                std::string(Indexes::name_of(new_connection, TargetKind::kTenant))};
  if (key.client.empty()) return;
  if (same_user->size() > most) {
    for (Connection* oldest : oldest_streams(*same_user, key, most)) close(*oldest, CloseReason::kReplaced, true);
  }
  if (options_.in_cluster) delegate_.client_opened(key, new_connection.id);
}

// The oldest streams of the client beyond `allowed`.
std::vector<Connection*> Shard::oldest_streams(const Group& user, const ClientKey& client, std::size_t allowed) const {
  std::vector<Connection*> oldest;
  if (clients_.knows(user)) {
    const ClientIndex::Streams* streams = clients_.find(user, client);
    if (streams == nullptr) return oldest;
    for (auto one = streams->begin(); oldest.size() + allowed < streams->size(); ++one) oldest.push_back(one->second);
    return oldest;
  }
  oldest = streams_of(client);
  std::ranges::sort(oldest, {}, [](const Connection* c) { return c->id; });
  oldest.resize(oldest.size() - std::min(oldest.size(), allowed));
  return oldest;
}

ListenerSet Shard::change_listeners(Connection& connection, const std::vector<std::string>& names, bool add) {
  loop_.assert_in_loop_thread();
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
  const ListenerSet* old = std::exchange(connection.listeners, listener_sets_.intern(changed));
  listener_sets_.release(old);
  if (!fresh.empty()) replay_for(connection, fresh);
  if (options_.observer != nullptr && (!fresh.empty() || !gone.empty()))
    options_.observer->listening_changed(options_.service, describe(connection), add ? fresh : gone, add);
  return changed;
}

}  // namespace sse::hub
