#include "hub/shard.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/step_count.h"
#include "event/event.h"
#include "hub/session_duration.h"

namespace sse::hub {
namespace {

using event::TargetKind;
using net::CloseReason;

// For clients with marks: the next event is a message that the client must acknowledge.
constexpr std::string_view kMark = "event:sse-qos\ndata:\n\n";
std::chrono::milliseconds tick_of(const HubOptions& options) {
  return std::clamp(options.heartbeat / 8, std::chrono::milliseconds(25), std::chrono::milliseconds(1000));
}

// Recently ended streams remembered per shard, for diagnosis.
constexpr std::size_t kClosedKept = 500;
// A broadcast to this many streams uses a reference count of its own for the frame.
constexpr std::size_t kManyMembers = 64;
// Streams to prefetch in a broadcast: every write to a socket evicts the next streams from the CPU cache.
constexpr std::size_t kAhead = 8;

void prefetch(const Connection* connection) {
  __builtin_prefetch(connection, 1);
  __builtin_prefetch(reinterpret_cast<const char*>(connection) + 64, 1);
}

Connection& connection_of(net::Stream& stream) {
  return static_cast<Connection&>(stream);
}

}  // namespace

Shard::Shard(net::EventLoop& loop, std::size_t number, const HubOptions& options, HubMetrics& metrics,
             HubDelegate& delegate, IdGenerator& ids, ExpectedResumes& expected_resumes)
    : loop_(loop),
      number_(number),
      options_(options),
      metrics_(metrics),
      delegate_(delegate),
      ids_(ids),
      expected_resumes_(expected_resumes),
      host_{loop, *this, options.stream},
      heartbeat_(event::Frame::make(event::kHeartbeat)),
      mark_(event::Frame::make(kMark)),
      wheel_(tick_of(options), 256, loop.clock().steady_now()),
      closed_streams_(kClosedKept) {
  loop_.at_turn_end([this] { end_turn(); });
  loop_.run_every(tick_of(options), [this] { tick(); });
}

Shard::~Shard() {
  connections_.for_each([](Connection& connection) { delete &connection; });
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
  loop_.assert_in_loop_thread();
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
  loop_.assert_in_loop_thread();
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
  loop_.assert_in_loop_thread();
  const Receivers receivers = receivers_of(kind, name);
  const Group* group = receivers.group;
  if (group == nullptr) return 0;
  std::uint32_t taken = 0;
  const bool sets_duration = event == event::kSetDuration;
  // Streams that overflow are only marked as closed: the group changes at the end of the turn.
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

std::uint32_t Shard::redeliver(TargetKind kind, const std::string& name, bool listening, std::string_view event,
                               const event::FrameRef& frame) {
  loop_.assert_in_loop_thread();
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

void Shard::find_delivery_states(const std::vector<DeliveryState>& messages, const std::vector<std::size_t>& asked,
                                 std::vector<FoundStates>& found) const {
  loop_.assert_in_loop_thread();
  using State = DeliveryState::State;
  const DeliveryState& any = messages[asked.front()];
  const Receivers receivers = receivers_of(any.kind, any.name);
  if (receivers.group == nullptr) return;
  std::unordered_map<MessageId, std::size_t> by_id;
  // Messages only for listeners, by event, for which no listening connection was found yet.
  std::map<std::string_view, std::vector<std::size_t>> without_listener;
  for (const std::size_t i : asked) {
    by_id.emplace(messages[i].message, i);
    if (messages[i].listening) without_listener[messages[i].event].push_back(i);
  }
  const auto raise = [&](std::size_t i, State state) { found[i].state = std::max(found[i].state, state); };
  const auto in_flight = [&](MessageId message, ConnectionId connection) {
    const auto one = by_id.find(message);
    if (one == by_id.end()) return;
    raise(one->second, State::kInFlight);
    found[one->second].connection = std::max(found[one->second].connection, connection);
  };
  std::unordered_set<const ListenerSet*> checked_sets;  // streams share them
  std::vector<MessageId> ids;
  bool online = false;
  for (const Connection* connection : receivers.group->members()) {
    count_steps();
    if (!receivers.include(*connection)) continue;
    online = true;
    if (!without_listener.empty() && checked_sets.insert(connection->listeners).second) {
      std::erase_if(without_listener, [&](const auto& event) {
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
    // Only now the message's place in the order is known.
    if (options_.resumable && message < published_ && replay == nullptr)
      connection.net::Stream::append(event::Frame::make(event::encode_cursor(published_.str())));
    return true;
  }
  if (replay == nullptr) return append(connection, frame);
  const bool fits = replay->queued_bytes + connection.size_of(*frame) <= options_.stream.max_backlog;
  if (message.valid() && (!fits || (options_.resumable && replay->again))) {
    // The replay will read the message from the repository, unless another stream (of another user, for a tenant or for
    // all) has confirmed it by then. It is not counted as taken, because every counted event must be delivered.
    replay->again = true;
    return false;
  }
  if (!fits && !replay->queued.empty()) {
    if (options_.stream.overflow == net::Stream::Overflow::kDrop) {
      metrics_.dropped.add();
      ++connection.rare().dropped;
    } else {
      connection.abort(CloseReason::kSlowConsumer);
    }
    return false;
  }
  replay->queued_bytes += connection.size_of(*frame);
  replay->queued.push_back(frame);
  return true;
}

// Only messages actually replayed count, not all up to an id: a message missing from the page may have been stored
// later by another node, with a smaller id, or another stream of the recipient may have confirmed it.
bool Shard::has_from_store(const Connection& connection, MessageId message) const {
  if (!connection.replayed_from_store) return false;
  const auto given = replayed_.find(connection.id.value());
  return given != replayed_.end() && given->second.contains(message);
}

void Shard::note_replayed(Connection& connection, const std::vector<event::FrameRef>& page) {
  if (std::ranges::none_of(page, [](const event::FrameRef& frame) { return frame->message().valid(); })) return;
  replayed_[connection.id.value()].add(page, loop_.now());
  connection.replayed_from_store = true;
}

void Shard::expire_replayed() {
  for (auto one = replayed_.begin(); one != replayed_.end();) {
    Connection* connection = connections_.find(one->first);
    const bool gone = connection == nullptr || !connection->indexed;
    // While a replay is running, a further pass must not deliver the messages of the first pass again.
    if (!gone && !connection->replay) {
      one->second.expire(loop_.now());
      connection->replayed_from_store = !one->second.empty();
    }
    one = gone || one->second.empty() ? replayed_.erase(one) : std::next(one);
  }
}

// Mirrors the conditions of take() and Stream::append(). A stream that is not blocked is flushed before it overflows.
Shard::DeliveryForecast Shard::forecast(const Connection& connection, std::size_t event_bytes) const {
  loop_.assert_in_loop_thread();
  const std::uint64_t bytes = event::size_on_stream(event_bytes, connection.chunked());
  const std::uint64_t most = options_.stream.max_backlog;
  if (connection.replay) {
    const Connection::Replay& replay = *connection.replay;
    return replay.queued_bytes + bytes > most && !replay.queued.empty() ? DeliveryForecast::kOverflows
                                                                        : DeliveryForecast::kWaits;
  }
  const std::uint64_t backlog = connection.backlog_bytes();
  return connection.blocked() && backlog > 0 && backlog + bytes > most ? DeliveryForecast::kOverflows
                                                                       : DeliveryForecast::kTakes;
}

bool Shard::deliver_to(Connection& connection, std::string_view event, const event::FrameRef& frame) {
  loop_.assert_in_loop_thread();
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
  // Sent even if the message is then not taken: a mark alone causes a superfluous acknowledgement, but a message
  // without a mark is acknowledged too late.
  if (connection.marks && frame->message().valid()) connection.net::Stream::append(mark_);
  switch (connection.net::Stream::append(frame)) {
    case net::Stream::Append::kTaken:
      ++connection.messages;
      if (frame->message().valid()) {
        connection.had_messages = true;
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
  loop_.assert_in_loop_thread();
  Connection& connection = connection_of(stream);
  if (connection.replay && connection.replay->waiting && connection.indexed) continue_replay(connection);
}

Connection* Shard::find(ConnectionId id) {
  loop_.assert_in_loop_thread();
  Connection* found = connections_.find(id.value());
  return found != nullptr && found->indexed && found->open() ? found : nullptr;
}

ConnectionInfo Shard::describe(const Connection& connection) const {
  loop_.assert_in_loop_thread();
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
    // The id contains the time at which the event was sent.
    if (const std::uint64_t id = event::id_of(frame->bytes()); id != 0)
      info.oldest_unsent = std::max(info.as_of - IdGenerator::time_of(id), std::chrono::milliseconds(0));
  }
  info.confirms = connection.confirms;
  if (connection.in_flight) info.in_flight = in_flight_.at(connection.id.value()).size();
  return info;
}

void Shard::update_counts() {
  const Group* all = indexes_.find(TargetKind::kAll, "");
  connection_count_.store(all == nullptr ? 0 : all->size(), std::memory_order_relaxed);
  user_count_.store(indexes_.count(TargetKind::kUser), std::memory_order_relaxed);
  socket_count_.store(connections_.size(), std::memory_order_relaxed);
}

void Shard::stream_dirty(net::Stream& stream) {
  loop_.assert_in_loop_thread();
  dirty_.push_back(&connection_of(stream));
}

void Shard::stream_closed(net::Stream& stream, CloseReason reason) {
  loop_.assert_in_loop_thread();
  closed_.emplace_back(&connection_of(stream), reason);
}

void Shard::stream_unacknowledged(net::Stream& stream) {
  loop_.assert_in_loop_thread();
  Connection& connection = connection_of(stream);
  if (connection.ack_round == Connection::kAckWritten) return;
  connection.ack_round = Connection::kAckWritten;
  written_awaiting_.push_back(connection.id);
}

void Shard::stream_lost(net::Stream& /*stream*/, std::size_t messages) {
  loop_.assert_in_loop_thread();
  metrics_.attempts_failed.add(messages);
}

void Shard::stream_acknowledged(net::Stream& stream, MessageId message, TargetKind recipient) {
  loop_.assert_in_loop_thread();
  Connection& connection = connection_of(stream);
  if (connection.replay) connection.replay->cover(message);
  note_confirmed(connection.id, message);
  const Connection::Rare* rare = connection.rare_or_null();
  const std::string name = rare != nullptr && rare->former_names ? hub::recipient_name(*rare->former_names, recipient)
                                                                 : recipient_name(connection, recipient);
  delegate_.acknowledged(recipient, name, message, connection.id);
}

void Shard::end_turn() {
  loop_.assert_in_loop_thread();
  // No iterators: flush() may add to dirty_ (a replay that continues).
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

}  // namespace sse::hub
