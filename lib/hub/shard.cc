#include "hub/shard.h"

#include <algorithm>
#include <utility>

#include "event/event.h"
#include "hub/names.h"

namespace sse::hub {
namespace {

using event::TargetKind;
using net::CloseReason;

// For clients with marks: the next event is a message that the client must acknowledge.
constexpr std::string_view kMark = "event:sse-qos\ndata:\n\n";

std::chrono::milliseconds tick_of(const HubOptions& options) {
  return std::clamp(options.heartbeat / 8, std::chrono::milliseconds(25), std::chrono::milliseconds(1000));
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
      ping_(event::Frame::make("event:" + std::string(event::kPing) + "\ndata:\n\n")),
      registry_(loop, options),
      presence_(loop, options, registry_,
                [this](Connection& connection, const event::FrameRef& frame) { append(connection, frame); }),
      passes_(options.slice.passes_before),
      writes_([this](Connection* connection) { registry_.destroy(connection); }),
      tcp_acks_(loop, [this](ConnectionId id) { return registry_.find_any(id); }),
      acks_({options.ack_timeout, options.in_cluster}, [this](ConnectionId id) { return registry_.find_any(id); }),
      wheel_(tick_of(options), 256, loop.clock().steady_now()),
      channels_(*this, loop, registry_, presence_, options, metrics, delegate) {
  loop_.at_turn_end([this] { end_turn(); });
  loop_.run_every(tick_of(options), [this] { tick(); });
}

Shard::~Shard() = default;

Connection* Shard::find(ConnectionId id) const {
  return registry_.find(id);
}

ConnectionInfo Shard::describe(const Connection& connection) const {
  ConnectionInfo info = registry_.describe(connection);
  if (const InFlight* log = acks_.in_flight(connection)) info.in_flight = log->size();
  return info;
}

void Shard::stream_drained(net::Stream& stream) {
  loop_.assert_in_loop_thread();
  Connection& connection = connection_of(stream);
  if (connection.replay && connection.replay->waits() && connection.indexed) continue_replay(connection);
}

void Shard::stream_dirty(net::Stream& stream) {
  loop_.assert_in_loop_thread();
  writes_.add(connection_of(stream));
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
  for (const auto& [kind, name] : take_recipients(connection, recipient, message))
    delegate_.acknowledged(kind, name, message, connection.id);
}

void Shard::end_turn() {
  loop_.assert_in_loop_thread();
  writes_.write_first();
  run_after_flush();
  if (has_sliced_work()) {
    // At least half of the loop's time: as long as the rest of this turn took.
    const SteadyTime::duration other = clock().steady_now() - loop_.now();
    run_deliveries(other);
    writes_.write_first();
    Slice slice(clock(), options_.slice, other);
    writes_.write_some(slice);
    run_after_flush();
    if (has_sliced_work()) loop_.continue_at_once();
  }
  tcp_acks_.end_turn();
  if (!closed_.empty()) {
    const auto closed = std::exchange(closed_, {});
    for (const auto& [connection, reason] : closed) {
      leave(*connection, reason);
      writes_.discard(connection);
    }
  }
  presence_.report();
}

void Shard::run_after_flush() {
  for (const auto& task : std::exchange(after_flush_, {})) task();
}

}  // namespace sse::hub
