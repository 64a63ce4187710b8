#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "net/address_limiter.h"
#include "net/counted.h"
#include "net/front_metrics.h"
#include "net/front_options.h"

namespace sse::net {

/// Why a connection is refused before any of its requests is read.
struct ConnectionRefusal {
  int status = 0;
  std::string sentence;
};

/// The place of one connection under the limits of its front.
struct ConnectionPlace {
  std::unique_ptr<AddressLimiter::Ticket> ticket{};  ///< null: no limit, or `from_proxy`
  bool from_proxy = false;                           ///< each of its requests gets its own ticket
  const ConnectionRefusal* refusal = nullptr;        ///< null: admitted. Belongs to the limits.
  Counted counted{};                                 ///< from ConnectionLimits::opened()
};

/// Decides which connections a front admits: at most FrontOptions::max_connections, and max_per_address of one client.
/// Refused connections do not count against these limits. Loop thread only, unless a function says otherwise.
class ConnectionLimits {
 public:
  /// Most refused connections that stay open until their clients have read the reason. Well below the number of
  /// descriptors that are reserved for the admin listener.
  static constexpr std::size_t kMaxRefusedOpen = 64;

  /// `options` and `metrics` must outlive the limits. `others_open`: connections that left the front, gave up their
  /// ConnectionPlace::counted, and still count.
  ConnectionLimits(const FrontOptions& options, FrontMetrics& metrics, std::function<std::size_t()> others_open);
  ConnectionLimits(const ConnectionLimits&) = delete;
  ConnectionLimits& operator=(const ConnectionLimits&) = delete;

  /// The place of a new connection from `peer`, or why it gets none.
  ConnectionPlace admit(const std::string& peer);
  /// A connection from a proxy counts for the client that it forwards, for as long as the request or its stream lasts.
  /// False when `client` is at its limit.
  bool admit_forwarded(const std::string& client, ConnectionPlace& place);
  /// An open connection turned out to be from `client`, for which it counts from now on. False when it must be closed
  /// at once: it is refused, and no more refused connections can be held.
  bool readmit(const std::string& client, ConnectionPlace& place);
  /// Why admit_forwarded() returned false.
  const ConnectionRefusal& too_many_of_address() const { return too_many_of_address_; }

  /// False when one more refused connection must be closed at once.
  bool can_hold_refused() const { return refused_open_ < kMaxRefusedOpen; }
  /// The front holds a connection with this place from now on, or no longer. Its `counted` may have left the front
  /// before closed().
  void opened(ConnectionPlace& place);
  void closed(ConnectionPlace& place);
  /// Connections that are counted now, refused ones included. Any thread.
  std::size_t open() const { return counted_.others(); }

 private:
  const FrontOptions& options_;
  FrontMetrics& metrics_;
  const std::function<std::size_t()> others_open_;
  const ConnectionRefusal full_;
  const ConnectionRefusal too_many_of_address_;
  const std::shared_ptr<AddressLimiter> limiter_;
  const Counted counted_ = Counted::first();
  std::size_t refused_open_ = 0;
};

}  // namespace sse::net
