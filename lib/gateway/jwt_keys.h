#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sse::gateway {

/// Keys that signatures of JSON Web Tokens are checked with. Immutable, thread safe.
class JwtKeys {
 public:
  /// `text`: a JWKS document (RFC 7517), or PEM public keys or certificates. Whatever else it is, a secret or a private
  /// key among it, throws Error(kInvalidArgument) that names `what` and tells what it looks like.
  static JwtKeys parse(const std::string& text, const std::string& what);
  /// `text`: one secret for HMAC of at least 32 bytes, as it is or as `base64:` and its base64 form (either alphabet).
  /// One line break at the end, LF or CRLF, does not count; every other byte does. What is recognisably something else
  /// (a web page, JSON, a key or certificate, several lines of text) throws as parse() does: everybody may know it.
  static JwtKeys parse_secret(const std::string& text, const std::string& what);
  /// Those of `more`, too.
  void add(const JwtKeys& more) { keys_.insert(keys_.end(), more.keys_.begin(), more.keys_.end()); }

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
