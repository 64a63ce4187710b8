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
  };
  /// Sends at once; never blocks, never throws.
  virtual std::unique_ptr<Sent> send(const ServiceName& service, const std::vector<hub::Hub::Delivery>& deliveries) = 0;

  /// A stream with these names is about to open: calls `go_on`, once, as soon as what other nodes send to them comes
  /// here, or when that cannot be had now. Any thread.
  virtual void expect(const ServiceName& service, const hub::Names& names, std::function<void()> go_on) = 0;
  /// That stream is gone, or never came to be. Once for every expect(). Any thread.
  virtual void gone(const ServiceName& service, const hub::Names& names) = 0;

 protected:
  ~Elsewhere() = default;
};

}  // namespace sse::delivery
