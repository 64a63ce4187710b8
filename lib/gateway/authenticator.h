#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "hub/connection.h"

namespace sse::gateway {

/// What an authenticator may look at. Valid during the call only.
class PageRequest {
 public:
  virtual ~PageRequest() = default;
  /// Empty when absent.
  virtual std::string header(const std::string& name) const = 0;
  /// A parameter of the query; empty when absent. A body never says who sends it: it has not been read yet.
  virtual std::string parameter(const std::string& name) const = 0;
  /// The client's address, as a trusted proxy tells it.
  virtual std::string address() const = 0;
  /// True when the request came directly from a `--trusted-proxy` (or this machine, for a listener only it can reach).
  virtual bool from_trusted_proxy() const = 0;
};

/// Most bytes of what is known of a user beside its identity: it is kept for each of its streams.
inline constexpr std::size_t kMaxProfileBytes = std::size_t{16} * 1024;

/// Who somebody is.
struct User {
  hub::Identity identity;
  std::string profile;                ///< JSON text shown as `accessUser`; empty: nothing is known
  std::optional<WallTime> expires{};  ///< when it must be established anew: no stream of the user lives longer
};

/// Decides who sends a request. Thread safe; runs on worker threads and may block.
class Authenticator {
 public:
  virtual ~Authenticator() = default;
  /// nullopt: not authenticated, the page gets 401. Throws Error(kUnavailable) when it could not be decided.
  virtual std::optional<User> authenticate(const PageRequest& request) = 0;
  /// Reads its files again. Throws Error when it cannot; what was read before then stays.
  virtual void reload() {}
  /// Ends decisions that are being waited for: the server stops.
  virtual void stop() {}
};

/// `--auth demo`: believes the parameters `userId` (default "1"), `tenantId`, `access-token`, `name`. For one's own
/// machine only.
std::unique_ptr<Authenticator> make_demo_authenticator();

/// `--auth header`: believes X-Sse-User, X-Sse-Tenant and X-Sse-Token of a trusted proxy, which has authenticated the
/// user and must remove these headers from what clients send.
std::unique_ptr<Authenticator> make_header_authenticator();

}  // namespace sse::gateway
