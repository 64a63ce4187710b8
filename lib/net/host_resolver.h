#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"

namespace sse::net {

/// Resolves the addresses of one host name on a separate thread, so that a slow or silent name server delays a caller
/// until its deadline at most. One look-up runs at a time, however many callers wait for it. A result is used for a few
/// seconds, and for longer while the name server does not answer. Thread safe.
class HostResolver {
 public:
  /// Returns numeric addresses, the preferred first; throws Error. Runs on a thread that may outlive the resolver.
  using LookUp = std::function<std::vector<std::string>(const std::string& host)>;

  /// `host`: a name, or a numeric address, which needs no look-up. `look_up` empty: getaddrinfo(3). `clock` must
  /// outlive the resolver.
  explicit HostResolver(std::string host, const Clock& clock = Clock::system(), LookUp look_up = {});
  ~HostResolver() { stop(); }
  HostResolver(const HostResolver&) = delete;
  HostResolver& operator=(const HostResolver&) = delete;

  /// Returns at least one address. Throws Error: kTimeout at `deadline`, kUnavailable when the name is unknown or after
  /// stop().
  std::vector<std::string> addresses(SteadyTime deadline);
  /// Ends all waits. A look-up in progress ends by itself.
  void stop();

  bool numeric() const { return numeric_; }

 private:
  struct State;  // shared with the thread that looks up

  const std::string host_;
  const bool numeric_;
  const Clock& clock_;
  const std::shared_ptr<State> state_;
};

}  // namespace sse::net
