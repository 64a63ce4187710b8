#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sse::gateway {

/// Keys that signatures of JSON Web Tokens are checked with. Immutable, thread safe.
class JwtKeys {
 public:
  /// `text`: a JWKS document (RFC 7517), PEM public keys or certificates, or else a secret for HMAC of at least 32
  /// bytes (a line break at its end does not count). Throws Error(kInvalidArgument) that names `what` and what is
  /// wrong.
  static JwtKeys parse(const std::string& text, const std::string& what);

  /// True when `signature` is the one of `text` by a key of ours. The key decides what it may be used for, not the
  /// token: an HMAC over the text of a public key is no signature. `algorithm`: HS256, RS256, ES256 and their 384 and
  /// 512 bit forms. `key_id`: of the token, empty when it names none.
  bool verify(std::string_view algorithm, std::string_view key_id, std::string_view text,
              std::string_view signature) const;

  std::size_t size() const { return keys_.size(); }

 private:
  struct Key;
  std::vector<std::shared_ptr<const Key>> keys_;
};

}  // namespace sse::gateway
