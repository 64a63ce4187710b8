#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "event/target.h"
#include "hub/client_limit.h"
#include "hub/closed_stream_log.h"
#include "hub/connection.h"
#include "hub/hub_options.h"
#include "hub/index.h"
#include "hub/pointer_table.h"
#include "net/event_loop.h"

namespace sse::hub {

/// The connections of one shard: finds and describes them, under every name that a send may use, and remembers those
/// that ended last. Owns them. It sends nothing. Loop thread only, except for the counts at the end.
class ConnectionRegistry {
 public:
  /// `loop` must outlive this.
  ConnectionRegistry(net::EventLoop& loop, const HubOptions& options);
  /// REQUIRES: the loop has stopped.
  ~ConnectionRegistry();
  ConnectionRegistry(const ConnectionRegistry&) = delete;
  ConnectionRegistry& operator=(const ConnectionRegistry&) = delete;

  /// Takes over a new connection, with the names, listeners and attributes of `request`.
  Connection& add(std::unique_ptr<Connection> connection, const NewConnection& request);
  /// Replaces the events that it listens to.
  void set_listeners(Connection& connection, const ListenerSet& listeners);
  /// It joins a channel. REQUIRES: it is not in it, and in fewer than kMaxChannels.
  void join_channel(Connection& connection, std::string_view channel, ChannelSource source);
  /// It is not in the channel any more. Returns whether it was.
  bool leave_channel(Connection& connection, std::string_view channel);
  /// Its stream ends: no name leads to it any more. `closed`: from describe_closed().
  void leave(Connection& connection, ClosedConnection closed);
  /// REQUIRES: it has left, and its stream is closed.
  void destroy(Connection* connection);

  /// Null when the connection is not, or no longer, open on this shard.
  Connection* find(ConnectionId id) const;
  /// Like find(), but includes connections whose streams are being closed.
  Connection* find_any(ConnectionId id) const {
    loop_.assert_in_loop_thread();
    return connections_.find(id.value());
  }

  /// The receivers of a send: a group, its members of one tenant, or one connection.
  struct Receivers {
    const Group* group = nullptr;
    bool of_tenant = false;
    std::string_view tenant{};

    event::TargetKind index = event::TargetKind::kAll;  ///< of the group
    Connection* one = nullptr;                          ///< without a group: of kConnection

    /// Those that include() is asked about; not longer than this.
    std::span<Connection* const> members() const {
      if (group != nullptr) return group->members();
      return {&one, one != nullptr ? std::size_t{1} : 0};
    }

    bool include(const Connection& connection) const {
      return !of_tenant || Indexes::name_of(connection, event::TargetKind::kTenant) == tenant;
    }
    /// Whether any connection, which need not be of the group, is one of them.
    bool contain(const Connection& connection) const {
      if (one != nullptr) return one == &connection;
      return group != nullptr && connection.membership.is_in(index, group) && include(connection);
    }
  };
  /// `name` must outlive the result.
  Receivers receivers(event::TargetKind kind, std::string_view name) const;
  /// Those of a name of the target, which must outlive the result, too.
  Receivers receivers(const event::Target& target, std::string_view name) const {
    Receivers found = receivers(target.kind, name);
    if (!target.of_tenant.empty()) {
      found.of_tenant = true;
      found.tenant = target.of_tenant;
    }
    return found;
  }
  /// The connections that a send to a name of the target reaches.
  std::vector<Connection*> connections_for(const event::Target& target, std::string_view name) const;
  std::vector<Connection*> all() const { return connections_for(event::Target::all(), ""); }
  /// The connections with a name in an index; all connections for kAll. REQUIRES: neither kMember nor kConnection.
  const Group* group(event::TargetKind kind, std::string_view name) const;
  /// The distinct names in an index.
  std::vector<std::string> names(event::TargetKind kind) const;
  /// The streams of each client, and those over its limit.
  const ClientLimit& clients() const { return clients_; }

  /// Without ConnectionInfo::in_flight.
  ConnectionInfo describe(const Connection& connection) const;
  ClosedConnection describe_closed(const Connection& connection, net::CloseReason reason) const;
  /// The streams that ended last, oldest first.
  const std::deque<ClosedConnection>& closed() const;

  /// Records the session duration sent to the page, see hub/session_duration.h.
  void set_duration(const Connection& connection, std::int64_t seconds);
  /// Drops it, so that the client's own count applies again.
  void forget_duration(const Connection& connection);

  // Any thread.
  std::size_t connections() const { return connection_count_.load(std::memory_order_relaxed); }
  std::size_t users() const { return user_count_.load(std::memory_order_relaxed); }
  /// Open sockets, including those of closing streams.
  std::size_t sockets() const { return socket_count_.load(std::memory_order_relaxed); }

 private:
  struct ById {
    static std::uint64_t key(const Connection& connection) { return connection.id.value(); }
    static std::uint64_t hash(std::uint64_t id) { return id; }
  };

  void update_counts();

  net::EventLoop& loop_;

  // Loop thread only.
  PointerTable<Connection, ById> connections_;  // owned: destroy()
  Indexes indexes_;
  ClientLimit clients_;
  ListenerSets listener_sets_;
  std::unordered_map<std::uint64_t, SetDuration> durations_;  // of the few connections with a set duration
  ClosedStreamLog closed_streams_;

  std::atomic<std::size_t> connection_count_{0};
  std::atomic<std::size_t> user_count_{0};
  std::atomic<std::size_t> socket_count_{0};
};

}  // namespace sse::hub
