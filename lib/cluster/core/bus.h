#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sse::cluster {

/// In this file a node is any process with a bus: a server, or a program that only sends.

/// A message for the subscribers of a topic.
struct Command {
  std::string topic;
  std::string bytes;
};

/// The replies to one command.
struct Replies {
  struct One {
    std::string node;
    std::string bytes;
  };
  std::vector<One> answers;
  std::size_t silent = 0;              ///< nodes that received it, or may have, and did not reply in time
  std::vector<std::string> missing{};  ///< names of those nodes, from a bus that knows them
  std::string failure;                 ///< not empty: the command was not sent at all, and the reason
};

/// Commands that were sent and whose replies are outstanding.
class PendingCall {
 public:
  virtual ~PendingCall() = default;
  /// Waits until all reached nodes have replied, at most `timeout` since the commands were sent. Returns one entry for
  /// each command, in their order. To be called at most once.
  virtual std::vector<Replies> wait(std::chrono::milliseconds timeout) = 0;
  /// The asynchronous alternative to wait(): `done` is called once, at once or on a thread of the bus, also when the
  /// bus stops. `done` must be quick.
  virtual void then(std::chrono::milliseconds timeout, std::function<void(std::vector<Replies>)> done) = 0;
};

/// Publish/subscribe between nodes with replies: carries each command to the subscribers of its topic only, and
/// collects their replies. A node does not receive its own commands. Commands of one node to one topic arrive in the
/// order in which they were sent. At most once: a command that cannot be sent now is dropped. Thread safe.
class Bus {
 public:
  struct Incoming {
    std::string origin;  ///< the node that sent the command
    std::string bytes;
    /// Sends the reply. To be called once, from any thread, also after the bus has stopped.
    std::function<void(std::string)> answer;
  };
  /// Delays replies while a reference to it exists, so that they leave together. May be null.
  using ReplyBatch = std::shared_ptr<void>;
  /// Handles incoming commands. Called on a thread of the bus: move long work to another thread.
  class Receiver {
   public:
    virtual void received(std::vector<Incoming> commands, ReplyBatch reply_batch) = 0;
    /// The connection is restored. Commands that other nodes sent in the meantime were not received.
    virtual void bus_up() {}
    virtual void bus_down(const std::string& /*why*/) {}
    /// Dropped a message of a node with another wire version, see why_refused(). Called for every such message.
    virtual void refused(const std::string& /*node*/, std::uint64_t /*version*/) {}

   protected:
    ~Receiver() = default;
  };

  virtual ~Bus() = default;

  /// `receiver` must outlive stop().
  virtual void start(Receiver& receiver) = 0;
  virtual void stop() = 0;

  /// Receives commands to these topics from now on. `standing` is called exactly once, on any thread, in the order of
  /// the calls: with true as soon as no later command is missed, with false when the subscription fails now. The bus
  /// remembers the topics in both cases, and subscribes again by itself when it can.
  virtual void subscribe(const std::vector<std::string>& topics, std::function<void(bool)> on_subscribed) = 0;
  virtual void unsubscribe(const std::vector<std::string>& topics) = 0;

  /// Sends the commands immediately. Never blocks, never throws.
  virtual std::shared_ptr<PendingCall> start_call(const std::vector<Command>& commands) = 0;

  /// A node that the registry lists now.
  struct LiveNode {
    std::string id;     ///< the node id, as returned by node_of()
    std::string topic;  ///< the topic to which only this node subscribes
  };
  /// Sets all live nodes, this one included. The bus does not wait for other subscribers, and names them in
  /// Replies::missing. Called periodically; a bus that detects live nodes itself ignores it.
  virtual void set_live_nodes(const std::vector<LiveNode>& /*nodes*/) {}

  /// Why nothing can be sent now, one sentence; empty while the bus works.
  virtual std::string why_down() const = 0;
};

}  // namespace sse::cluster
