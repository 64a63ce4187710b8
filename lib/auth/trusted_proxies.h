#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sse::auth {

/// The addresses and networks (`10.0.0.0/8`, `::1`) whose X-Forwarded-For or Forwarded header is trusted; `unix`: every
/// peer on a unix socket, whose address is empty. Immutable, thread safe.
class TrustedProxies {
 public:
  /// Throws Error(kInvalidArgument) that names the entry.
  explicit TrustedProxies(const std::vector<std::string>& entries);

  bool contains(const std::string& address) const;
  /// The client's address: the peer's, or, as long as that address is trusted, the previous one in X-Forwarded-For, or
  /// in Forwarded (RFC 7239) when X-Forwarded-For is absent. `peer` and the result are in the form of
  /// net::normalized_address().
  std::string client_address(const std::string& peer, std::string_view forwarded_for,
                             std::string_view forwarded = {}) const;

 private:
  struct Network {
    std::vector<unsigned char> bytes;  // 4 or 16
    unsigned bits = 0;
  };
  std::vector<Network> networks_;
  bool unix_ = false;
};

}  // namespace sse::auth
