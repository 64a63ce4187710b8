#include "hub/shard.h"

#include <algorithm>
#include <utility>

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
      registry_(loop, options),
      tcp_acks_(loop, [this](ConnectionId id) { return registry_.find_any(id); }),
      acks_({options.ack_timeout, options.in_cluster}, [this](ConnectionId id) { return registry_.find_any(id); }),
      wheel_(tick_of(options), 256, loop.clock().steady_now()) {
  loop_.at_turn_end([this] { end_turn(); });
  loop_.run_every(tick_of(options), [this] { tick(); });
}

Shard::~Shard() = default;

std::uint32_t Shard::deliver(TargetKind kind, const std::string& name, bool listening, std::string_view event,
                             const event::FrameRef& frame) {
  loop_.assert_in_loop_thread();
  const ConnectionRegistry::Receivers receivers = registry_.receivers(kind, name);
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
  const ConnectionRegistry::Receivers receivers = registry_.receivers(kind, name);
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

bool Shard::take(Connection& connection, const event::FrameRef& frame) {
  if (!connection.open()) return false;
  const MessageId message = frame->message();
  if (message.valid() && has_from_store(connection, message)) {
    // Only now the message's place in the order is known.
    if (options_.resumable && message < published_ && !connection.replay)
      connection.net::Stream::append(event::Frame::make(event::encode_cursor(published_.str())));
    return true;
  }
  if (!connection.replay) return append(connection, frame);
  switch (connection.replay->hold(frame, connection.size_of(*frame), options_.stream.max_backlog)) {
    case ReplaySession::Held::kHeld:
      return true;
    case ReplaySession::Held::kLeftToStore:
      // The replay will read the message from the repository, unless another stream (of another user, for a tenant or
      // for all) has confirmed it by then. It is not counted as taken, because every counted event must be delivered.
      return false;
    case ReplaySession::Held::kOverflow:
      if (options_.stream.overflow == net::Stream::Overflow::kDrop) {
        metrics_.dropped.add();
        ++connection.rare().dropped;
      } else {
        connection.abort(CloseReason::kSlowConsumer);
      }
      return false;
  }
  return false;
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
  if (const auto seconds = duration_in(frame->bytes())) registry_.set_duration(connection, *seconds);
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
      if (connection.confirms) acks_.sent(connection, *frame, loop_.now());
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
  if (connection.replay && connection.replay->waits() && connection.indexed) continue_replay(connection);
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
  tcp_acks_.written(connection_of(stream));
}

void Shard::stream_lost(net::Stream& /*stream*/, std::size_t messages) {
  loop_.assert_in_loop_thread();
  metrics_.attempts_failed.add(messages);
}

void Shard::stream_acknowledged(net::Stream& stream, MessageId message, TargetKind recipient) {
  loop_.assert_in_loop_thread();
  Connection& connection = connection_of(stream);
  if (connection.replay) connection.replay->cover(message);
  acks_.remember(connection.id, message);
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
  tcp_acks_.end_turn();
  if (closed_.empty()) return;
  const auto closed = std::exchange(closed_, {});
  for (const auto& [connection, reason] : closed) {
    leave(*connection, reason);
    registry_.destroy(connection);
  }
}

}  // namespace sse::hub
