#include "hub/connection_registry.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "event/event.h"
#include "hub/client_tag.h"
#include "hub/names.h"

namespace sse::hub {
namespace {

using event::TargetKind;

// Recently ended streams remembered per shard, for diagnosis.
constexpr std::size_t kClosedKept = 500;

}  // namespace

ConnectionRegistry::ConnectionRegistry(net::EventLoop& loop, const HubOptions& options)
    : loop_(loop),
      clients_(indexes_, options.client_max_connections, options.in_cluster),
      closed_streams_(kClosedKept) {}

ConnectionRegistry::~ConnectionRegistry() {
  connections_.for_each([](Connection& connection) { delete &connection; });
}

Connection& ConnectionRegistry::add(std::unique_ptr<Connection> owned, const NewConnection& request) {
  loop_.assert_in_loop_thread();
  Connection& connection = *owned;
  connection.listeners = listener_sets_.intern(ListenerSet(request.listeners.begin(), request.listeners.end()));
  connection.keep_attributes(request.attributes);
  connection.client_tag = client_tag(request.attributes.parameter(kClientId));
  connection.instance_tag = client_tag(request.attributes.parameter(kClientInstanceId));
  connections_.insert(owned.release());
  connection.indexed = true;
  indexes_.join(connection, TargetKind::kUser, request.identity.user.str());
  indexes_.join(connection, TargetKind::kToken, request.identity.token.str());
  indexes_.join(connection, TargetKind::kTenant, request.identity.tenant.str());
  if (request.channels.size() > 1) Indexes::reserve_further(connection, request.channels.size() - 1);
  for (const JoinedChannel& channel : request.channels) join_channel(connection, channel.name.str(), channel.source);
  indexes_.join(connection, TargetKind::kAll, "");
  clients_.joined(connection);
  update_counts();
  return connection;
}

void ConnectionRegistry::set_listeners(Connection& connection, const ListenerSet& listeners) {
  loop_.assert_in_loop_thread();
  const ListenerSet* old = std::exchange(connection.listeners, listener_sets_.intern(listeners));
  listener_sets_.release(old);
}

// The first channel stays the same for the life of the stream: messages in flight are for that one where nothing else
// is noted.
void ConnectionRegistry::join_channel(Connection& connection, std::string_view channel, ChannelSource source) {
  loop_.assert_in_loop_thread();
  const Connection::Rare* rare = connection.rare_or_null();
  const bool other_was_first = rare != nullptr && rare->former_channel && *rare->former_channel != channel;
  if (connection.membership.group(TargetKind::kChannel) == nullptr && !other_was_first) {
    indexes_.join(connection, TargetKind::kChannel, channel, source);
  } else {
    indexes_.join_further(connection, channel, source);
  }
}

bool ConnectionRegistry::leave_channel(Connection& connection, std::string_view channel) {
  loop_.assert_in_loop_thread();
  return indexes_.leave_channel(connection, channel);
}

void ConnectionRegistry::leave(Connection& connection, ClosedConnection closed) {
  loop_.assert_in_loop_thread();
  closed_streams_.add(std::move(closed));
  clients_.leaving(connection);
  indexes_.leave_all(connection);
  update_counts();
}

void ConnectionRegistry::destroy(Connection* connection) {
  loop_.assert_in_loop_thread();
  listener_sets_.release(connection->listeners);
  connections_.erase(connection);
  delete connection;
  update_counts();
}

Connection* ConnectionRegistry::find(ConnectionId id) const {
  loop_.assert_in_loop_thread();
  Connection* found = connections_.find(id.value());
  return found != nullptr && found->indexed && found->open() ? found : nullptr;
}

ConnectionRegistry::Receivers ConnectionRegistry::receivers(TargetKind kind, std::string_view name) const {
  loop_.assert_in_loop_thread();
  if (kind == TargetKind::kConnection) return {.index = kind, .one = find(ConnectionId(parse_id(name).value_or(0)))};
  if (kind != TargetKind::kMember) return {.group = indexes_.find(kind, name), .index = kind};
  const event::Member member = event::member_of(name);
  return {indexes_.find(TargetKind::kUser, member.user), true, member.tenant, TargetKind::kUser};
}

std::vector<Connection*> ConnectionRegistry::connections_for(const event::Target& target, std::string_view name) const {
  loop_.assert_in_loop_thread();
  std::vector<Connection*> connections;
  const Receivers reached = receivers(target, name);
  for (Connection* connection : reached.members()) {
    if (reached.include(*connection)) connections.push_back(connection);
  }
  return connections;
}

const Group* ConnectionRegistry::group(TargetKind kind, std::string_view name) const {
  loop_.assert_in_loop_thread();
  return indexes_.find(kind, name);
}

std::vector<std::string> ConnectionRegistry::names(TargetKind kind) const {
  loop_.assert_in_loop_thread();
  return indexes_.names(kind);
}

ConnectionInfo ConnectionRegistry::describe(const Connection& connection) const {
  loop_.assert_in_loop_thread();
  ConnectionInfo info;
  info.id = connection.id;
  info.identity.user = UserId(std::string(Indexes::name_of(connection, TargetKind::kUser)));
  info.identity.tenant = TenantId(std::string(Indexes::name_of(connection, TargetKind::kTenant)));
  info.identity.token = AccessToken(std::string(Indexes::name_of(connection, TargetKind::kToken)));
  info.channels = channels_of(connection);
  if (!info.channels.empty()) info.channel = info.channels.front();
  info.listeners.assign(connection.listeners->begin(), connection.listeners->end());
  info.attributes = connection.unpacked_attributes();
  info.created = connection.created();
  info.as_of = loop_.clock().wall_now();
  info.keepalive = std::chrono::milliseconds(connection.keepalive_millis);
  info.last_write = info.as_of - std::chrono::floor<std::chrono::milliseconds>(loop_.now() - connection.last_write());
  if (const auto set = durations_.find(connection.id.value()); set != durations_.end()) info.duration = set->second;
  info.messages = connection.messages;
  if (const Connection::Rare* rare = connection.rare_or_null()) {
    if (rare->last_request_millis != 0) info.last_request = from_millis(rare->last_request_millis);
    info.request_messages = rare->request_messages;
    info.request_uploads = rare->request_uploads;
    info.dropped = rare->dropped;
  }
  info.bytes_sent = connection.bytes_sent();
  info.backlog_bytes = connection.backlog_bytes();
  if (const event::Frame* frame = connection.oldest_unsent()) {
    // The id contains the time at which the event was sent.
    if (const std::uint64_t id = event::id_of(frame->bytes()); id != 0)
      info.oldest_unsent = std::max(info.as_of - IdGenerator::time_of(id), std::chrono::milliseconds(0));
  }
  info.confirms = connection.confirms;
  return info;
}

ClosedConnection ConnectionRegistry::describe_closed(const Connection& connection, net::CloseReason reason) const {
  loop_.assert_in_loop_thread();
  ClosedConnection closed;
  closed.id = connection.id;
  closed.user = UserId(std::string(Indexes::name_of(connection, TargetKind::kUser)));
  closed.tenant = TenantId(std::string(Indexes::name_of(connection, TargetKind::kTenant)));
  closed.channels = channels_of(connection);
  closed.address = connection.unpacked_attributes().address;
  closed.reason = reason;
  closed.created = connection.created();
  closed.closed = loop_.clock().wall_now();
  closed.messages = connection.messages;
  closed.bytes_sent = connection.bytes_sent();
  closed.backlog_bytes = connection.backlog_bytes();
  return closed;
}

const std::deque<ClosedConnection>& ConnectionRegistry::closed() const {
  loop_.assert_in_loop_thread();
  return closed_streams_.entries();
}

void ConnectionRegistry::set_duration(const Connection& connection, std::int64_t seconds) {
  loop_.assert_in_loop_thread();
  durations_[connection.id.value()] = {seconds, loop_.clock().wall_now()};
}

void ConnectionRegistry::forget_duration(const Connection& connection) {
  loop_.assert_in_loop_thread();
  durations_.erase(connection.id.value());
}

void ConnectionRegistry::update_counts() {
  const Group* all = indexes_.find(TargetKind::kAll, "");
  connection_count_.store(all == nullptr ? 0 : all->size(), std::memory_order_relaxed);
  user_count_.store(indexes_.count(TargetKind::kUser), std::memory_order_relaxed);
  socket_count_.store(connections_.size(), std::memory_order_relaxed);
}

}  // namespace sse::hub
