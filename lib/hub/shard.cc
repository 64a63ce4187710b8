#include "hub/shard.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "base/step_count.h"
#include "base/units.h"
#include "event/event.h"
#include "hub/observer.h"
#include "hub/session_duration.h"
#include "observe/log.h"

namespace sse::hub {
namespace {

using event::TargetKind;
using net::CloseReason;

// How long a stream that is being ended may take to write out what it owes and to see the peer close.
constexpr std::chrono::seconds kFinishTime{5};
// Clients told to stay away close by themselves. The Java library's does so from a timer, which runs once a second in a
// hidden tab, and takes an end of the stream before that for a failure: it would come back.
constexpr std::chrono::seconds kFarewellTime{2};
// To clients that ask for marks: the next event is a message and wants to be confirmed.
constexpr std::string_view kMark = "event:sse-qos\ndata:\n\n";
// 2 ms at first, 250 at last.
std::chrono::milliseconds ack_delay(std::size_t round) {
  return std::min(std::chrono::milliseconds(2 << round), std::chrono::milliseconds(250));
}

std::chrono::milliseconds tick_of(const HubOptions& options) {
  return std::clamp(options.heartbeat / 8, std::chrono::milliseconds(25), std::chrono::milliseconds(1000));
}

// How long a client that was closed from the server's side is expected to come back, where its reconnect time is not
// longer.
constexpr std::chrono::seconds kClosedExpected{30};
constexpr ByteCount kClosedBytes = mebibytes(1);
constexpr ByteCount kRenewedBytes = mebibytes(4);

// Clients wait for the reconnect time, and then a little longer.
std::chrono::milliseconds return_time(const HubOptions& options) {
  return 2 * (options.reconnect_time + options.reconnect_jitter);
}

// Of each shard, for those who ask why a stream has ended.
constexpr std::size_t kClosedKept = 500;
// From here on a frame's references are worth counting apart.
constexpr std::size_t kManyMembers = 64;
// Streams to look ahead in a broadcast: every write to a socket pushes the next streams out of the cache.
constexpr std::size_t kAhead = 8;

void prefetch(const Connection* connection) {
  __builtin_prefetch(connection, 1);
  __builtin_prefetch(reinterpret_cast<const char*>(connection) + 64, 1);
}

Connection& connection_of(net::Stream& stream) {
  return static_cast<Connection&>(stream);
}

}  // namespace

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

HubMetrics::HubMetrics(observe::Registry& registry, const ServiceName& service)
    : opened(registry.counter("sse_streams_opened_total", "Event streams opened", {{"service", service.str()}})),
      deliveries(registry.counter("sse_deliveries_total", "Events taken into a stream", {{"service", service.str()}})),
      delivered_bytes(registry.counter("sse_delivered_bytes_total", "Bytes of events taken into a stream",
                                       {{"service", service.str()}})),
      dropped(registry.counter("sse_dropped_total", "Events a slow stream did not get (--slow-consumer drop)",
                               {{"service", service.str()}})),
      heartbeats(registry.counter("sse_heartbeats_total", "Comment lines sent on silent streams",
                                  {{"service", service.str()}})),
      resent(registry.counter("sse_resent_total", "Messages sent again on a live stream (--qos-ack-timeout)",
                              {{"service", service.str()}})),
      attempts_failed(registry.counter("sse_attempts_failed_total",
                                       "Messages in a stream that ended before they were confirmed",
                                       {{"service", service.str()}})),
      acks_ignored(registry.counter("sse_acks_ignored_total",
                                    "Ids in ack.do that were not in flight on a stream of that client",
                                    {{"service", service.str()}})),
      turned_away(registry.counter("sse_turned_away_total",
                                   "Clients closed from the server's side that came back and were answered with 204",
                                   {{"service", service.str()}})),
      connections(registry.gauge("sse_streams_open", "Event streams open now", {{"service", service.str()}})) {
  for (std::size_t i = 0; i < net::kCloseReasons; ++i) {
    const std::string reason(net::reason_name(static_cast<CloseReason>(i)));
    closed.push_back(&registry.counter("sse_streams_closed_total", "Event streams closed, by reason",
                                       {{"service", service.str()}, {"reason", reason}}));
  }
}

ExpectedReturns::ExpectedReturns(const HubOptions& options)
    : closed(std::max<std::chrono::milliseconds>(kClosedExpected, return_time(options)), kClosedBytes),
      renewed(return_time(options), kRenewedBytes) {}

Shard::Shard(net::EventLoop& loop, std::size_t number, const HubOptions& options, HubMetrics& metrics,
             HubDelegate& delegate, IdGenerator& ids, ExpectedReturns& returns)
    : loop_(loop),
      number_(number),
      options_(options),
      metrics_(metrics),
      delegate_(delegate),
      ids_(ids),
      returns_(returns),
      host_{loop, *this, options.stream},
      heartbeat_(event::Frame::make(event::kHeartbeat)),
      mark_(event::Frame::make(kMark)),
      wheel_(tick_of(options), 256, loop.clock().steady_now()),
      closed_log_(kClosedKept) {
  loop_.at_turn_end([this] { end_turn(); });
  loop_.run_every(tick_of(options), [this] { tick(); });
}

Shard::~Shard() {
  connections_.for_each([](Connection& connection) { delete &connection; });
}

void Shard::connect(ConnectionId id, NewConnection request, const event::FrameRef& first, Resumption resumption) {
  loop_.assert_in_loop_thread();
  std::unique_ptr<Connection> owned;
  try {
    owned = std::make_unique<Connection>(id, host_, std::move(request.socket), request.chunked);
  } catch (const Error& e) {
    observe::log_error("stream refused", {{"connection", id.str()}, {"error", e.what()}});
    if (options_.in_cluster) delegate_.left(names_of(request));
    // Opened and closed at once, so that the counters add up.
    metrics_.opened.add();
    metrics_.closed.at(static_cast<std::size_t>(CloseReason::kRefused))->add();
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
    connection.leave_acknowledging_to_client();
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
    connection.replay->catch_up.begin(published_, std::move(resumption.missed), resumption.course);
  }
  limit_client(connection, request.attributes);
  ask_replay(connection);
  schedule_check(connection);
  observe::log_debug("stream opened", {{"service", options_.service.str()},
                                       {"connection", id.str()},
                                       {"user", request.identity.user.str()},
                                       {"address", request.attributes.address}});
}

void Shard::limit_client(const Connection& newcomer, const Attributes& attributes) {
  const Group* same_user = newcomer.membership.group(TargetKind::kUser);
  const std::size_t most = options_.client_max_connections;
  if (most == 0 || same_user == nullptr || (same_user->size() <= most && !options_.in_cluster)) return;
  ClientKey key{std::string(same_user->name()), form_value(attributes.query, "clientId"), attributes.origin,
                std::string(Indexes::name_of(newcomer, TargetKind::kTenant))};
  if (key.client.empty()) return;
  if (same_user->size() > most) {
    for (Connection* oldest : oldest_streams(*same_user, key, most)) close(*oldest, CloseReason::kReplaced, true);
  }
  if (options_.in_cluster) delegate_.client_opened(key, newcomer.id);
}

// Those of the client that are more than it is allowed.
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

std::vector<Connection*> Shard::streams_of(const ClientKey& client) const {
  std::vector<Connection*> streams;
  const Group* same_user = indexes_.find(TargetKind::kUser, client.user);
  if (same_user == nullptr) return streams;
  if (clients_.knows(*same_user)) {
    if (const ClientIndex::Streams* known = clients_.find(*same_user, client)) {
      for (const auto& [id, connection] : *known) streams.push_back(connection);
    }
    return streams;
  }
  for (Connection* one : same_user->members()) {
    if (Indexes::name_of(*one, TargetKind::kTenant) != client.tenant) continue;
    const Attributes theirs = one->unpacked_attributes();
    if (theirs.origin == client.origin && form_value(theirs.query, "clientId") == client.client) streams.push_back(one);
  }
  return streams;
}

std::vector<ConnectionId> Shard::connections_of(const ClientKey& client) const {
  std::vector<ConnectionId> ids;
  for (const Connection* one : streams_of(client)) {
    if (one->open()) ids.push_back(one->id);
  }
  return ids;
}

bool Shard::Receivers::include(const Connection& connection) const {
  return !of_tenant || Indexes::name_of(connection, TargetKind::kTenant) == tenant;
}

Shard::Receivers Shard::receivers_of(TargetKind kind, std::string_view name) const {
  if (kind != TargetKind::kMember) return {indexes_.find(kind, name)};
  const event::Member member = event::member_of(name);
  return {indexes_.find(TargetKind::kUser, member.user), true, member.tenant};
}

std::vector<Connection*> Shard::connections_for(TargetKind kind, std::string_view name) const {
  std::vector<Connection*> connections;
  const Receivers receivers = receivers_of(kind, name);
  if (receivers.group == nullptr) return connections;
  for (Connection* connection : receivers.group->members()) {
    if (receivers.include(*connection)) connections.push_back(connection);
  }
  return connections;
}

std::string Shard::recipient_name(const Connection& connection, TargetKind kind) {
  if (kind == TargetKind::kMember) {
    return event::member_name(Indexes::name_of(connection, TargetKind::kUser),
                              Indexes::name_of(connection, TargetKind::kTenant));
  }
  return std::string(Indexes::name_of(connection, kind));
}

std::uint32_t Shard::deliver(TargetKind kind, const std::string& name, bool listening, std::string_view event,
                             const event::FrameRef& frame) {
  const Receivers receivers = receivers_of(kind, name);
  const Group* group = receivers.group;
  if (group == nullptr) return 0;
  std::uint32_t taken = 0;
  const bool sets_duration = event == event::kSetDuration;
  // Streams that overflow only note that they are closed: the group changes at the end of the turn.
  const std::span<Connection* const> members = group->members();
  const event::FrameRef mine = members.size() >= kManyMembers ? frame->alias() : frame;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (i + kAhead < members.size()) prefetch(members[i + kAhead]);
    Connection& connection = *members[i];
    if (!receivers.include(connection) || !wants(connection, listening, event) || !take(connection, mine)) continue;
    ++taken;
    if (sets_duration) note_duration(connection, frame);
  }
  metrics_.deliveries.add(taken);
  metrics_.delivered_bytes.add(taken * frame->size());
  return taken;
}

std::uint32_t Shard::deliver_again(TargetKind kind, const std::string& name, bool listening, std::string_view event,
                                   const event::FrameRef& frame) {
  const Receivers receivers = receivers_of(kind, name);
  if (receivers.group == nullptr) return 0;
  std::uint32_t taken = 0;
  for (Connection* connection : receivers.group->members()) {
    if (!receivers.include(*connection) || connection->replay || (listening && !connection->listens(event))) continue;
    if (append(*connection, frame)) ++taken;
  }
  metrics_.deliveries.add(taken);
  metrics_.resent.add(taken);
  return taken;
}

void Shard::locate(const std::vector<Whereabouts>& messages, const std::vector<std::size_t>& asked,
                   std::vector<Located>& found) const {
  using State = Whereabouts::State;
  const Whereabouts& any = messages[asked.front()];
  const Receivers receivers = receivers_of(any.kind, any.name);
  if (receivers.group == nullptr) return;
  std::unordered_map<MessageId, std::size_t> by_id;
  // Of those that only listeners get, by the event; nobody who listens has been seen yet.
  std::map<std::string_view, std::vector<std::size_t>> unheard;
  for (const std::size_t i : asked) {
    by_id.emplace(messages[i].message, i);
    if (messages[i].listening) unheard[messages[i].event].push_back(i);
  }
  const auto raise = [&](std::size_t i, State state) { found[i].state = std::max(found[i].state, state); };
  const auto in_flight = [&](MessageId message, ConnectionId connection) {
    const auto one = by_id.find(message);
    if (one == by_id.end()) return;
    raise(one->second, State::kInFlight);
    found[one->second].connection = std::max(found[one->second].connection, connection);
  };
  std::unordered_set<const ListenerSet*> heard;  // streams share them
  std::vector<MessageId> ids;
  bool online = false;
  for (const Connection* connection : receivers.group->members()) {
    count_steps();
    if (!receivers.include(*connection)) continue;
    online = true;
    if (!unheard.empty() && heard.insert(connection->listeners).second) {
      std::erase_if(unheard, [&](const auto& event) {
        count_steps();
        if (!connection->listens(event.first)) return false;
        for (const std::size_t i : event.second) raise(i, State::kWaiting);
        return true;
      });
    }
    ids.clear();
    const auto log = in_flight_.find(connection->id.value());
    if (log == in_flight_.end()) {
      ids = connection->carried_messages();
    } else if (log->second.length() <= by_id.size()) {
      log->second.list(ids);
    } else {
      for (const auto& [message, i] : by_id) {
        if (log->second.contains(message)) ids.push_back(message);
      }
    }
    for (const MessageId id : ids) in_flight(id, connection->id);
  }
  if (!online) return;
  for (const std::size_t i : asked) raise(i, messages[i].listening ? State::kNotListening : State::kWaiting);
}

bool Shard::take(Connection& connection, const event::FrameRef& frame) {
  if (!connection.open()) return false;
  const MessageId message = frame->message();
  Connection::Replay* replay = connection.replay.get();
  if (message.valid() && has_from_store(connection, message)) {
    // Its place in the order is only known now.
    if (options_.resumable && message < published_ && replay == nullptr)
      connection.net::Stream::append(event::Frame::make(event::encode_cursor(published_.str())));
    return true;
  }
  if (replay == nullptr) return append(connection, frame);
  const bool fits = replay->held_bytes + connection.size_of(*frame) <= options_.stream.max_backlog;
  if (message.valid() && (!fits || (options_.resumable && replay->again))) {
    // It is in the repository, where the replay will come by; but by then another stream, of another person where it is
    // for a tenant or for all, may have confirmed it. So it is not counted: what is counted is given.
    replay->again = true;
    return false;
  }
  if (!fits && !replay->held.empty()) {
    if (options_.stream.overflow == net::Stream::Overflow::kDrop) {
      metrics_.dropped.add();
      ++connection.rare().dropped;
    } else {
      connection.abort(CloseReason::kSlowConsumer);
    }
    return false;
  }
  replay->held_bytes += connection.size_of(*frame);
  replay->held.push_back(frame);
  return true;
}

// A message that the store did not have (any more) when this stream read it is not one that the stream has had: it may
// have been stored since, with a smaller id at another node, or another stream of the recipient may have confirmed it.
bool Shard::has_from_store(const Connection& connection, MessageId message) const {
  if (!connection.given_from_store) return false;
  const auto given = given_.find(connection.id.value());
  return given != given_.end() && given->second.contains(message);
}

void Shard::note_given(Connection& connection, const std::vector<event::FrameRef>& page) {
  if (std::ranges::none_of(page, [](const event::FrameRef& frame) { return frame->message().valid(); })) return;
  given_[connection.id.value()].add(page, loop_.now());
  connection.given_from_store = true;
}

void Shard::forget_given() {
  for (auto one = given_.begin(); one != given_.end();) {
    Connection* connection = connections_.find(one->first);
    const bool gone = connection == nullptr || !connection->indexed;
    // A further look at the store must not give again what the first one gave.
    if (!gone && !connection->replay) {
      one->second.expire(loop_.now());
      connection->given_from_store = !one->second.empty();
    }
    one = gone || one->second.empty() ? given_.erase(one) : std::next(one);
  }
}

// The conditions of take() and Stream::append(); a stream that is not blocked is flushed before it would overflow.
Shard::Outlook Shard::outlook(const Connection& connection, std::size_t event_bytes) const {
  const std::uint64_t bytes = event::size_on_stream(event_bytes, connection.chunked());
  const std::uint64_t most = options_.stream.max_backlog;
  if (connection.replay) {
    const Connection::Replay& replay = *connection.replay;
    return replay.held_bytes + bytes > most && !replay.held.empty() ? Outlook::kOverflows : Outlook::kWaits;
  }
  const std::uint64_t owed = connection.backlog_bytes();
  return connection.blocked() && owed > 0 && owed + bytes > most ? Outlook::kOverflows : Outlook::kTakes;
}

bool Shard::give(Connection& connection, std::string_view event, const event::FrameRef& frame) {
  if (!take(connection, frame)) return false;
  if (event == event::kSetDuration) note_duration(connection, frame);
  metrics_.deliveries.add();
  metrics_.delivered_bytes.add(frame->size());
  return true;
}

void Shard::note_duration(const Connection& connection, const event::FrameRef& frame) {
  if (const auto seconds = duration_in(frame->bytes()))
    durations_[connection.id.value()] = {*seconds, clock().wall_now()};
}

bool Shard::append(Connection& connection, const event::FrameRef& frame) {
  // Whether or not it is taken: a mark alone asks for a confirmation too many, a message alone for one later.
  if (connection.marks && frame->message().valid()) connection.net::Stream::append(mark_);
  switch (connection.net::Stream::append(frame)) {
    case net::Stream::Append::kTaken:
      ++connection.messages;
      if (frame->message().valid()) {
        connection.given_messages = true;
        delegate_.sent(frame->recipient(), recipient_name(connection, frame->recipient()), frame->message(),
                       connection.id);
      }
      if (connection.confirms) note_in_flight(connection, frame);
      return true;
    case net::Stream::Append::kDropped:
      metrics_.dropped.add();
      ++connection.rare().dropped;
      return false;
    case net::Stream::Append::kOverflow:
      connection.abort(CloseReason::kSlowConsumer);
      return false;
    case net::Stream::Append::kClosed:
      return false;
  }
  return false;
}

void Shard::stream_drained(net::Stream& stream) {
  Connection& connection = connection_of(stream);
  if (connection.replay && connection.replay->waiting && connection.indexed) continue_replay(connection);
}

Connection* Shard::find(ConnectionId id) {
  Connection* found = connections_.find(id.value());
  return found != nullptr && found->indexed && found->open() ? found : nullptr;
}

ConnectionInfo Shard::describe(const Connection& connection) const {
  ConnectionInfo info;
  info.id = connection.id;
  info.identity.user = UserId(std::string(Indexes::name_of(connection, TargetKind::kUser)));
  info.identity.tenant = TenantId(std::string(Indexes::name_of(connection, TargetKind::kTenant)));
  info.identity.token = AccessToken(std::string(Indexes::name_of(connection, TargetKind::kToken)));
  info.channel = ChannelName(std::string(Indexes::name_of(connection, TargetKind::kChannel)));
  info.listeners.assign(connection.listeners->begin(), connection.listeners->end());
  info.attributes = connection.unpacked_attributes();
  info.created = connection.created();
  info.as_of = clock().wall_now();
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
    // Its id tells when it was sent.
    if (const std::uint64_t id = event::id_of(frame->bytes()); id != 0)
      info.oldest_unsent = std::max(info.as_of - IdGenerator::time_of(id), std::chrono::milliseconds(0));
  }
  info.confirms = connection.confirms;
  if (connection.in_flight) info.in_flight = in_flight_.at(connection.id.value()).size();
  return info;
}

ListenerSet Shard::change_listeners(Connection& connection, const std::vector<std::string>& names, bool add) {
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

void Shard::close(Connection& connection, CloseReason reason, bool say_so, const std::string& note,
                  const std::string& id) {
  if (!connection.open()) return;
  if (say_so) {
    event::Event event;
    event.name = event::kConnectClose;
    event.id = id;
    event.data = R"({"connectionId":")" + connection.id.str() + R"("})";
    append(connection, event::Frame::make(event::encode(event)));
    // So that what is noted as owed is what the socket did not take.
    if (connection.open()) connection.flush();
    if (!connection.open()) return;
  }
  Connection::Rare& rare = connection.rare();
  rare.former_names = std::make_unique<std::array<std::string, kIndexes>>();
  for (std::size_t i = 0; i < kIndexes; ++i) {
    rare.former_names->at(i) = Indexes::name_of(connection, static_cast<TargetKind>(i));
  }
  leave(connection, reason, note);
  rare.finish_by = clock().steady_now() + (say_so ? kFarewellTime : kFinishTime);
  connection.finish(reason, say_so);
  wheel_.add(connection.id.value(), rare.finish_by);
}

// The id a plain client will name when it comes back; empty where it is not recognised by one.
std::string Shard::id_for_return(const Connection& connection, const Attributes& attributes) {
  if (!form_value(attributes.query, "clientId").empty()) return "";
  if (!options_.resumable) return std::to_string(ids_.next());
  // There an id says what its client has seen: all up to here, unless it is being given what it missed.
  return connection.replay ? "" : published_.str();
}

void Shard::close_for_good(Connection& connection) {
  if (!connection.open()) return;
  const ConnectionInfo info = describe(connection);
  const std::string id = id_for_return(connection, info.attributes);
  // The client module stays away by itself, and comes back only when its page wants it to.
  if (form_value(info.attributes.query, "clientVersion").empty())
    returns_.closed.add(return_key(info.identity, info.attributes, id, false), loop_.now());
  close(connection, CloseReason::kServerClosed, true, "", id);
}

// Ends the stream at the end of its time. Its client comes back at once, and is not told that it may have missed
// something, though nothing is kept for it.
void Shard::end_life(Connection& connection) {
  if (!options_.resumable) {
    const ConnectionInfo info = describe(connection);
    const std::string id = id_for_return(connection, info.attributes);
    if (!id.empty()) {
      const event::FrameRef cursor = event::Frame::make(event::encode_cursor(id));
      connection.net::Stream::append(cursor);
      if (!connection.open()) return;
      if (connection.confirms) note_in_flight(connection, cursor);
    }
    returns_.renewed.add(return_key(info.identity, info.attributes, id, true), loop_.now());
  }
  close(connection, connection.ends_with_token ? CloseReason::kTokenExpired : CloseReason::kKeepalive, false);
}

void Shard::send_away(Connection& connection, std::chrono::milliseconds retry) {
  connection.net::Stream::append(event::Frame::make("retry:" + std::to_string(retry.count()) + "\n\n"));
  if (connection.open()) close(connection, CloseReason::kShutdown, false);
}

void Shard::close_all(CloseReason reason) {
  const Group* all = indexes_.find(TargetKind::kAll, "");
  if (all == nullptr) return;
  const std::vector<Connection*> members(all->members().begin(), all->members().end());
  for (Connection* connection : members) close(*connection, reason, false);
}

// The one place where connections leave, whatever the cause.
void Shard::leave(Connection& connection, CloseReason reason, const std::string& note) {
  if (!connection.indexed) return;
  connection.indexed = false;
  if (connection.given_messages) delegate_.cut_off(connection.id, reason);
  depart(connection);
  connection.replay.reset();
  durations_.erase(connection.id.value());
  const ClosedConnection closed = closed_now(connection, reason);
  if (observe::log_enabled(observe::Level::kDebug) || reason == CloseReason::kSlowConsumer) {
    observe::log(
        reason == CloseReason::kSlowConsumer ? observe::Level::kWarn : observe::Level::kDebug,
        reason == CloseReason::kSlowConsumer ? "stream closed: it owed more than --max-backlog allows"
                                             : "stream closed",
        {{"service", options_.service.str()},
         {"connection", connection.id.str()},
         {"user", closed.user.str()},
         {"address", closed.address},
         {"reason", std::string(net::reason_name(reason))},
         {"messages", std::to_string(closed.messages)},
         {"sentBytes", std::to_string(closed.bytes_sent)},
         {"owedBytes", std::to_string(closed.owed_bytes)},
         {"lastWriteAgo",
          format_duration(std::chrono::floor<std::chrono::milliseconds>(loop_.now() - connection.last_write()))}});
  }
  if (options_.in_cluster) delegate_.left(names_of(connection));
  if (options_.observer != nullptr)
    options_.observer->disconnected(options_.service, describe(connection), reason, note);
  closed_log_.add(closed);
  clients_.leaving(connection);
  indexes_.leave_all(connection);
  metrics_.closed.at(static_cast<std::size_t>(reason))->add();
  metrics_.connections.add(-1);
  update_counts();
}

ClosedConnection Shard::closed_now(const Connection& connection, CloseReason reason) const {
  ClosedConnection closed;
  closed.id = connection.id;
  closed.user = UserId(std::string(Indexes::name_of(connection, TargetKind::kUser)));
  closed.tenant = TenantId(std::string(Indexes::name_of(connection, TargetKind::kTenant)));
  closed.channel = ChannelName(std::string(Indexes::name_of(connection, TargetKind::kChannel)));
  closed.address = connection.unpacked_attributes().address;
  closed.reason = reason;
  closed.created = connection.created();
  closed.closed = clock().wall_now();
  closed.messages = connection.messages;
  closed.bytes_sent = connection.bytes_sent();
  closed.owed_bytes = connection.backlog_bytes();
  return closed;
}

void Shard::update_counts() {
  const Group* all = indexes_.find(TargetKind::kAll, "");
  connection_count_.store(all == nullptr ? 0 : all->size(), std::memory_order_relaxed);
  user_count_.store(indexes_.count(TargetKind::kUser), std::memory_order_relaxed);
  socket_count_.store(connections_.size(), std::memory_order_relaxed);
}

void Shard::stream_dirty(net::Stream& stream) {
  dirty_.push_back(&connection_of(stream));
}

void Shard::stream_closed(net::Stream& stream, CloseReason reason) {
  closed_.emplace_back(&connection_of(stream), reason);
}

void Shard::stream_awaits(net::Stream& stream) {
  Connection& connection = connection_of(stream);
  if (connection.ack_round == Connection::kAckWritten) return;
  connection.ack_round = Connection::kAckWritten;
  written_awaiting_.push_back(connection.id);
}

void Shard::stream_lost(net::Stream& /*stream*/, std::size_t messages) {
  metrics_.attempts_failed.add(messages);
}

void Shard::stream_acknowledged(net::Stream& stream, MessageId message, TargetKind recipient) {
  Connection& connection = connection_of(stream);
  if (connection.replay) connection.replay->cover(message);
  note_confirmed(connection.id, message);
  const Connection::Rare* rare = connection.rare_or_null();
  const std::string name = rare != nullptr && rare->former_names ? hub::recipient_name(*rare->former_names, recipient)
                                                                 : recipient_name(connection, recipient);
  delegate_.acknowledged(recipient, name, message, connection.id);
}

void Shard::end_turn() {
  // flush() may dirty others (a replay that goes on), so no iterators.
  for (std::size_t i = 0; i < dirty_.size(); ++i) {
    if (i + kAhead < dirty_.size()) __builtin_prefetch(static_cast<net::Stream*>(dirty_[i + kAhead]), 1);
    dirty_[i]->flush();
  }
  dirty_.clear();
  for (const auto& task : std::exchange(after_flush_, {})) task();
  if (!written_awaiting_.empty()) check_written();
  if (closed_.empty()) return;
  const auto closed = std::exchange(closed_, {});
  for (const auto& [connection, reason] : closed) {
    leave(*connection, reason);
    listener_sets_.release(connection->listeners);
    destroy(connection);
  }
  update_counts();
}

void Shard::destroy(Connection* connection) {
  connections_.erase(connection);
  delete connection;
}

void Shard::check_written() {
  for (const ConnectionId id : written_awaiting_) {
    if (Connection* connection = connections_.find(id.value())) check_acknowledged(*connection, 0);
  }
  written_awaiting_.clear();
}

void Shard::check_round(std::size_t round) {
  std::vector<ConnectionId> streams = std::exchange(ack_rounds_.at(round).streams, {});
  // One that came back to the last round was left behind there once or more.
  if (round + 1 == kAckRounds) {
    std::ranges::sort(streams);
    streams.erase(std::unique(streams.begin(), streams.end()), streams.end());
  }
  for (const ConnectionId id : streams) {
    Connection* connection = connections_.find(id.value());
    if (connection != nullptr && connection->ack_round == round)
      check_acknowledged(*connection, std::min(round + 1, kAckRounds - 1));
  }
}

void Shard::check_acknowledged(Connection& connection, std::size_t next_round) {
  if (!connection.check_acknowledged()) {
    connection.ack_round = Connection::kAckNone;
    return;
  }
  connection.ack_round = static_cast<std::uint8_t>(next_round);
  AckRound& next = ack_rounds_.at(next_round);
  next.streams.push_back(connection.id);
  if (std::exchange(next.timer, true)) return;
  loop_.run_after(ack_delay(next_round), [this, next_round] {
    ack_rounds_.at(next_round).timer = false;
    check_round(next_round);
  });
}

void Shard::schedule_check(Connection& connection) {
  SteadyTime due = connection.expires(loop_.now());
  if (options_.heartbeat.count() != 0)
    due = std::min(due, std::max(connection.last_write() + options_.heartbeat, loop_.now()));
  if (due != SteadyTime::max()) wheel_.add(connection.id.value(), due);
}

void Shard::tick() {
  // What a burst needed.
  if (dirty_.empty() && dirty_.capacity() > 1024) dirty_.shrink_to_fit();
  if (closed_.empty() && closed_.capacity() > 1024) closed_.shrink_to_fit();
  if (written_awaiting_.empty() && written_awaiting_.capacity() > 1024) written_awaiting_.shrink_to_fit();
  resend_late();
  read_again();
  forget_given();
  wheel_.advance(loop_.now(), [this](std::uint64_t key) {
    Connection* found = connections_.find(key);
    if (found == nullptr || found->closed()) return;
    Connection& connection = *found;
    const SteadyTime now = loop_.now();
    if (!connection.indexed) {
      SteadyTime& finish_by = connection.rare().finish_by;
      if (finish_by > now) return;
      if (!connection.end()) {
        connection.abort(CloseReason::kServerClosed);
      } else if (!connection.closed()) {
        finish_by = now + kFinishTime;
        wheel_.add(connection.id.value(), finish_by);
      }
      return;
    }
    if (connection.expires(now) <= now) {
      end_life(connection);
      return;
    }
    if (options_.heartbeat.count() != 0 && connection.last_write() + options_.heartbeat <= now &&
        connection.backlog_bytes() == 0) {
      connection.net::Stream::append(heartbeat_);
      metrics_.heartbeats.add();
    }
    connection.trim();
    schedule_check(connection);
  });
}

}  // namespace sse::hub
