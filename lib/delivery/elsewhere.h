#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "hub/hub.h"

namespace sse::delivery {

/// The other nodes of a cluster, as a sender sees them. Thread safe.
class Elsewhere {
 public:
  /// Events on their way to other nodes.
  class Sent {
   public:
    virtual ~Sent() = default;
    /// Waits, not for long, and adds what streams of other nodes took to `taken`, which is as Hub::deliver() returned
    /// it for the same deliveries. Returns the nodes that may have missed something. Once.
    virtual std::vector<std::string> finish(std::vector<std::vector<std::uint32_t>>& taken) = 0;
    /// The same without waiting, instead of finish(): `done` gets what streams of other nodes took, delivery by
    /// delivery and name by name, and the nodes that may have missed something. Called once, at once or on any thread;
    /// must be quick.
    using Done = std::function<void(const std::vector<std::uint32_t>& taken, std::vector<std::string> missing)>;
    virtual void then(Done done) = 0;
  };
  /// Sends at once; never blocks, never throws.
  virtual std::unique_ptr<Sent> send(const ServiceName& service, const std::vector<hub::Hub::Delivery>& deliveries) = 0;

  /// False when no stream of the target is open here, nor was one between expect() and gone() at any time of the call.
  virtual bool may_be_here(const ServiceName& service, const event::Target& target) = 0;

  /// A stream with these names is about to open: calls `go_on`, once, as soon as what other nodes send to them comes
  /// here, or when that cannot be had now. Any thread.
  virtual void expect(const ServiceName& service, const hub::Names& names, std::function<void()> go_on) = 0;
  /// That stream is gone, or never came to be. Once for every expect(). Any thread.
  virtual void gone(const ServiceName& service, const hub::Names& names) = 0;

  /// Raises the states of pending messages to what other nodes know, and returns the nodes that did not say: what they
  /// may know more of is `unread`. Waits for them, not for long.
  virtual std::vector<std::string> locate(const ServiceName& service, std::vector<hub::Whereabouts>& messages) = 0;

  /// A stream of this client has opened: the oldest of those it has in the whole cluster end, where they are too many.
  /// A loop's thread; does not wait.
  virtual void client_opened(const ServiceName& service, const hub::ClientKey& client, ConnectionId connection) = 0;

 protected:
  ~Elsewhere() = default;
};

}  // namespace sse::delivery
