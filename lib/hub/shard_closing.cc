// Shard: closing streams.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/units.h"
#include "event/event.h"
#include "hub/observer.h"
#include "hub/shard.h"
#include "hub/spread.h"
#include "observe/log.h"

namespace sse::hub {

using event::TargetKind;
using net::CloseReason;

namespace {

// After connect-close the client closes the stream itself. The Java library's client does so from a timer, which runs
// once a second in a hidden tab; if the stream ended before that, the client would treat it as a failure and reconnect.
constexpr std::chrono::seconds kCloseGrace{2};

// Time limit for a closing stream to write its backlog and to see the peer close.
constexpr std::chrono::seconds kFinishTime{5};

// Streams that were opened together also end together: their clients reconnect within this time.
constexpr std::chrono::milliseconds kRenewalSpread{1000};

// With the blank of the Java library, for pages that compare the text.
std::string close_data(ConnectionId id, CloseReason reason) {
  std::string data = R"({"connectionId": ")" + id.str() + '"';
  if (reason == CloseReason::kReplaced) data += R"(,"reason":"replaced")";
  if (reason == CloseReason::kServerClosed) data += R"(,"reason":"closed-by-operator")";
  return data + '}';
}

}  // namespace

void Shard::close(Connection& connection, CloseReason reason, bool send_close_event, const std::string& note,
                  const std::string& id) {
  loop_.assert_in_loop_thread();
  finish_earlier(connection);
  if (!connection.open()) return;
  if (send_close_event) {
    event::Event event;
    event.name = event::kConnectClose;
    event.id = id;
    event.data = close_data(connection.id, reason);
    append(connection, event::Frame::make(event::encode(event)));
    // Flush first, so that the recorded backlog contains only bytes that the socket did not accept.
    if (connection.open()) connection.flush();
    if (!connection.open()) return;
  }
  Connection::Rare& rare = connection.rare();
  rare.former_names = std::make_unique<std::array<std::string, kIndexes>>();
  for (std::size_t i = 0; i < kIndexes; ++i) {
    rare.former_names->at(i) = recipient_name(connection, static_cast<TargetKind>(i));
  }
  leave(connection, reason, note);
  rare.finish_by = clock().steady_now() + (send_close_event ? kCloseGrace : kFinishTime);
  connection.finish(reason, send_close_event);
  wheel_.add(connection.id.value(), rare.finish_by);
}

// Its time is over: the stream ends, or its socket is closed.
void Shard::finish_closing(Connection& connection) {
  if (!connection.end()) {
    connection.abort(CloseReason::kServerClosed);
  } else if (!connection.closed()) {
    SteadyTime& finish_by = connection.rare().finish_by;
    finish_by = loop_.now() + kFinishTime;
    wheel_.add(connection.id.value(), finish_by);
  }
}

// The last event id that a plain client will send when it reconnects; empty when it is not recognised by an id.
std::string Shard::reconnect_id(const Connection& connection, const Attributes& attributes) {
  if (!form_value(attributes.query, "clientId").empty()) return "";
  if (!options_.resumable) return std::to_string(ids_.next());
  // With a history the id says what the client has seen: everything published, unless a replay is running.
  return connection.replay ? "" : published_.str();
}

void Shard::close_by_server(Connection& connection) {
  loop_.assert_in_loop_thread();
  finish_earlier(connection);
  if (!connection.open()) return;
  const ConnectionInfo info = describe(connection);
  const std::string id = reconnect_id(connection, info.attributes);
  // The client module does not reconnect by itself, only when its page asks for it.
  if (form_value(info.attributes.query, "clientVersion").empty())
    expected_resumes_.closed.add(reconnect_key(info.identity, info.attributes, id, false), loop_.now());
  close(connection, CloseReason::kServerClosed, true, "", id);
}

// Ends the stream at its keepaliveTime. The client reconnects at once and gets no resync event, although no events are
// retained for it.
void Shard::end_lifetime(Connection& connection) {
  finish_earlier(connection);
  if (!options_.resumable) {
    const ConnectionInfo info = describe(connection);
    const std::string id = reconnect_id(connection, info.attributes);
    if (!id.empty()) {
      const event::FrameRef cursor = event::Frame::make(event::encode_cursor(id));
      connection.net::Stream::append(cursor);
      if (!connection.open()) return;
      if (connection.confirms) acks_.sent(connection, *cursor, loop_.now());
    }
    expected_resumes_.renewed.add(reconnect_key(info.identity, info.attributes, id, true), loop_.now());
  }
  end_for_reconnect(connection, connection.ends_with_token ? CloseReason::kTokenExpired : CloseReason::kKeepalive,
                    spread_over(connection.id, kRenewalSpread));
}

// An EventSource cannot see why a stream ends, and connect-close would keep the client away.
void Shard::end_for_reconnect(Connection& connection, CloseReason reason, std::chrono::milliseconds retry) {
  if (connection.ends && connection.open()) {
    event::Event end;
    end.name = event::kStreamEnd;
    end.data = R"({"reason":")" + std::string(net::reason_name(reason)) + R"(","retry":)" +
               std::to_string(retry.count()) + '}';
    connection.net::Stream::append(event::Frame::make(event::encode(end)));
  }
  close(connection, reason, false);
}

void Shard::close_for_reconnect(Connection& connection, std::chrono::milliseconds retry) {
  loop_.assert_in_loop_thread();
  finish_earlier(connection);
  connection.net::Stream::append(event::Frame::make("retry:" + std::to_string(retry.count()) + "\n\n"));
  end_for_reconnect(connection, CloseReason::kShutdown, retry);
}

void Shard::close_all(CloseReason reason) {
  loop_.assert_in_loop_thread();
  for (Connection* connection : registry_.all()) end_for_reconnect(*connection, reason, options_.reconnect_time);
}

// The only place where connections are unregistered, whatever the reason.
void Shard::leave(Connection& connection, CloseReason reason, const std::string& note) {
  if (!connection.indexed) return;
  connection.indexed = false;
  if (connection.had_messages) delegate_.stream_ended(connection.id, reason);
  metrics_.attempts_failed.add(acks_.ended(connection, loop_.now()));
  connection.replay.reset();
  registry_.forget_duration(connection);
  ClosedConnection closed = registry_.describe_closed(connection, reason);
  if (observe::log_enabled(observe::Level::kDebug) || reason == CloseReason::kSlowConsumer) {
    observe::log(
        reason == CloseReason::kSlowConsumer ? observe::Level::kWarn : observe::Level::kDebug,
        reason == CloseReason::kSlowConsumer ? "stream closed: its backlog exceeded --max-backlog" : "stream closed",
        {{"service", options_.service.str()},
         {"connection", connection.id.str()},
         {"user", closed.user.str()},
         {"address", closed.address},
         {"reason", std::string(net::reason_name(reason))},
         {"messages", std::to_string(closed.messages)},
         {"sentBytes", std::to_string(closed.bytes_sent)},
         {"owedBytes", std::to_string(closed.backlog_bytes)},
         {"lastWriteAgo",
          format_duration(std::chrono::floor<std::chrono::milliseconds>(loop_.now() - connection.last_write()))}});
  }
  if (options_.in_cluster) delegate_.left(names_of(connection));
  if (options_.observer != nullptr)
    options_.observer->disconnected(options_.service, describe(connection), reason, note);
  metrics_.closed.at(static_cast<std::size_t>(reason))->add();
  metrics_.connections.add(-1);
  presence_.leaving_all(connection, reason == CloseReason::kDisconnect && note == kHiddenGoodbye);
  registry_.leave(connection, std::move(closed));
}

}  // namespace sse::hub
