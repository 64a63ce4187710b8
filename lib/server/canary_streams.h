#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "cluster/core/wire.h"
#include "hub/hub.h"
#include "hub/hub_delegate.h"
#include "net/event_loop.h"
#include "observe/metrics.h"
#include "pages/canary_entry.h"
#include "server/server.h"

namespace sse::server {

class ClusterNode;

/// The name of the hub of canaries, in connect-finish and between nodes. No service may have it.
inline constexpr std::string_view kCanaryService = "sse-canary";
/// The event that a canary waits for: `{"from":"NODE","id":"NUMBER"}`.
inline constexpr std::string_view kCanaryEvent = "sse-canary";

/// The server's side of canaries: the streams of nodes that connect to their own public address, and the events to
/// them. They have a hub and metrics of their own, on the loops of the services: they share threads, sockets and the
/// bus with the streams of users, and are in no list, count, limit or notification of those.
///
/// A canary proves who it is by a secret that its node makes at the start, `NUMBER.RANDOM`. If a load balancer brings
/// the stream to another node, that node asks the one with this number. The secret opens a stream of canary events, and
/// nothing else. Thread safe.
class CanaryStreams final : public pages::CanaryEntry, private hub::HubDelegate {
 public:
  /// Nodes that check() asks at the same time. More are refused, so that a flood of invented secrets occupies few
  /// workers.
  static constexpr std::size_t kMaxChecks = 4;

  /// References must outlive this; `loops` must not be started yet. `cluster` null: a single server.
  CanaryStreams(const ServerOptions& options, std::string server_id,
                const std::vector<std::unique_ptr<net::EventLoop>>& loops, IdGenerator& ids, ClusterNode* cluster);
  /// REQUIRES: the loops have stopped.
  ~CanaryStreams() override;

  /// Of this node's canary.
  const std::string& secret() const { return secret_; }
  unsigned number() const { return number_; }
  /// Sends an event from this node to the canary of the node with that number, wherever its stream is. Never blocks.
  void send(unsigned to, const std::string& id);
  /// Asks all other nodes to do so. Never blocks.
  void request_others(const std::string& id);
  /// The ids of the other nodes, which do so.
  std::vector<std::string> other_nodes() const;

  /// Handles what other nodes ask about canaries; nullopt for other operations.
  std::optional<cluster::AdminReply> handle(const cluster::AdminCommand& command);
  /// Delivers an event of another node to the streams here; like Hub::start_delivery().
  void deliver(std::vector<hub::Hub::Delivery> deliveries,
               std::function<void(std::vector<std::vector<std::uint32_t>>)> done) {
    hub_.start_delivery(std::move(deliveries), std::move(done));
  }
  /// Ends all streams. Does not wait.
  void drain() { hub_.drain(); }
  /// Streams of canaries, which take descriptors as others do.
  std::size_t sockets() const { return hub_.directory().sockets(); }

  // pages::CanaryEntry
  unsigned node_of(const std::string& secret) override;
  void connect(unsigned node, net::HandedOverConnection connection) override;

 private:
  // hub::HubDelegate
  bool request_replay(const hub::ReplayRequest&) override { return false; }
  void acknowledged(event::TargetKind, std::string_view, MessageId, ConnectionId) override {}
  void opening(const hub::Names& names, std::function<void()> proceed) override;
  void left(const hub::Names& names) override;

  bool made_by_other(unsigned node, const std::string& secret);

  const ServiceName service_{std::string(kCanaryService)};
  const std::string server_id_;
  ClusterNode* const cluster_;
  const unsigned number_;
  const std::string secret_;
  std::atomic<std::size_t> checks_{0};
  observe::Registry metrics_;  // that no one reads
  hub::Hub hub_;
};

}  // namespace sse::server
