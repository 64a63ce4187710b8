#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sse::cluster {

/// A node in what follows is whoever has a bus: a server, or a program that only sends.

/// Some bytes for whoever subscribed to a topic.
struct Command {
  std::string topic;
  std::string bytes;
};

/// What came back for one command.
struct Answers {
  struct One {
    std::string node;
    std::string bytes;
  };
  std::vector<One> answers;
  std::size_t silent = 0;              ///< how many received it, or may have, and did not answer in time
  std::vector<std::string> missing{};  ///< their names, from a bus that knows them
  std::string failure;                 ///< not empty: the command did not get out at all, and why
};

/// Commands under way.
class Asked {
 public:
  virtual ~Asked() = default;
  /// Waits until everybody reached has answered, at most `patience` since they were asked; an entry for each command,
  /// in their order. Once.
  virtual std::vector<Answers> wait(std::chrono::milliseconds patience) = 0;
  /// The same without waiting: `done` is called once, at once or on a thread of the bus, also when the bus stops; it
  /// must be quick. Instead of wait().
  virtual void then(std::chrono::milliseconds patience, std::function<void(std::vector<Answers>)> done) = 0;
};

/// Carries commands between nodes, each to those alone that subscribed to its topic, and gathers their answers. A
/// node's own commands never come back to it. Commands of one node to one topic arrive in the order they were sent in.
/// At most once: what cannot be carried now is not kept. Thread safe.
class Bus {
 public:
  struct Incoming {
    std::string origin;  ///< the node that sent it
    std::string bytes;
    /// Answers it; to be called once, from any thread, also after the bus has stopped.
    std::function<void(std::string)> answer;
  };
  /// Keeps answers back while anybody has it: what is answered meanwhile leaves together. May be null.
  using Together = std::shared_ptr<void>;
  /// What a node does with what it receives. On a thread of the bus: whoever needs long for one takes it elsewhere.
  class Receiver {
   public:
    virtual void received(std::vector<Incoming> commands, Together together) = 0;
    /// The bus carries again after it could not: what was sent meanwhile did not come here.
    virtual void bus_up() {}
    virtual void bus_down(const std::string& /*why*/) {}

   protected:
    ~Receiver() = default;
  };

  virtual ~Bus() = default;

  /// `receiver` outlives the bus' stop().
  virtual void start(Receiver& receiver) = 0;
  virtual void stop() = 0;

  /// From now on commands to these topics come here. `standing` is called exactly once, on any thread: with true as
  /// soon as no command sent from then on is missed, with false when that cannot be had now. The bus remembers the
  /// topics all the same, and takes them up by itself when it can. In the order of the calls.
  virtual void subscribe(const std::vector<std::string>& topics, std::function<void(bool)> standing) = 0;
  virtual void unsubscribe(const std::vector<std::string>& topics) = 0;

  /// Sends the commands at once. Never blocks, never throws.
  virtual std::shared_ptr<Asked> ask(const std::vector<Command>& commands) = 0;

  /// A node that is entered now.
  struct Living {
    std::string id;     ///< as node_of() its name
    std::string topic;  ///< that it alone is subscribed to
  };
  /// All of them, this one included: whoever else is still subscribed is not waited for, and is named in
  /// Answers::missing. Now and then; a bus that sees for itself who lives ignores it.
  virtual void set_living(const std::vector<Living>& /*nodes*/) {}

  /// Why nothing can be carried now, one sentence; empty while it can.
  virtual std::string why_down() const = 0;
};

}  // namespace sse::cluster
