#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "sse-server/connection.h"
#include "sse-server/export.h"
#include "sse-server/units.h"

namespace sse {

/// The properties of a request that an authenticator may use. Valid during the call only.
class SSE_API PageRequest {
 public:
  virtual ~PageRequest() = default;
  /// Empty when absent.
  virtual std::string header(const std::string& name) const = 0;
  /// A query parameter; empty when absent. The body is not available: it is read only after authentication.
  virtual std::string parameter(const std::string& name) const = 0;
  /// The client's address, as reported by a trusted proxy.
  virtual std::string address() const = 0;
  /// True when the request came directly from one of ServerOptions::trusted_proxies (or this machine, for a listener
  /// only it can reach).
  virtual bool from_trusted_proxy() const = 0;
};

/// Maximum size of a user's profile, which is stored for each of the user's streams.
inline constexpr std::size_t kMaxProfileBytes = std::size_t{16} * 1024;

/// An authenticated user.
struct User {
  Identity identity;                  ///< whom sends can be addressed to
  std::string profile;                ///< JSON text shown as `accessUser`; empty: unknown
  std::optional<WallTime> expires{};  ///< when the authentication ends: no stream of the user lasts longer
  /// Names and patterns of channels that the user may join besides those of ServerOptions::channel_rules, as a pattern
  /// there; at most 1000 of 16 KiB together. An entry that is no pattern allows nothing.
  std::vector<std::string> channels{};
  /// The same for channels to which pages of the user may publish, besides those of ServerOptions::publish_rules.
  std::vector<std::string> publish{};
};

/// Authenticates the sender of a request. Thread safe; runs on worker threads and may block.
class SSE_API Authenticator {
 public:
  virtual ~Authenticator() = default;
  /// nullopt: not authenticated, the page gets 401. Throws Error: kUnauthenticated for the same with a reason that the
  /// client may see, kUnavailable when this cannot be determined.
  virtual std::optional<User> authenticate(const PageRequest& request) = 0;
  /// Reads its files again. Throws Error when it cannot; the previous content then stays in effect.
  virtual void reload() {}
  /// Ends calls in progress, because the server stops.
  virtual void stop() {}
};

}  // namespace sse
