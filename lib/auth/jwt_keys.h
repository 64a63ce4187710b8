#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sse::auth {

/// The keys that verify signatures of JSON Web Tokens. Immutable, thread safe.
class JwtKeys {
 public:
  static constexpr int kMinRsaBits = 2048;  ///< RFC 7518 §3.3

  /// `text`: a JWKS document (RFC 7517), or PEM public keys or certificates. Anything else, including a secret or a
  /// private key, throws Error(kInvalidArgument) that names `what` and describes the text.
  static JwtKeys parse(const std::string& text, const std::string& what);
  /// `text`: the JWKS document that an issuer publishes. As parse(), except that keys which cannot be used are ignored,
  /// so that an issuer may add new types, and that secrets are, because the document is public.
  static JwtKeys parse_published(const std::string& text, const std::string& what);
  /// `text`: one HMAC secret of at least 32 bytes, either plain or as `base64:` and its base64 form (either alphabet).
  /// One line break at the end, LF or CRLF, is ignored; all other bytes count. Text that is recognizably something else
  /// (a web page, JSON, a key or certificate, several lines of text) throws as parse() does, because it may be public.
  static JwtKeys parse_secret(const std::string& text, const std::string& what);
  /// The bytes of that secret.
  static std::string read_secret(const std::string& text, const std::string& what);
  /// Adds the keys of `more`.
  void add(const JwtKeys& more) { keys_.insert(keys_.end(), more.keys_.begin(), more.keys_.end()); }

  /// True when `signature` is valid for `text` with one of the keys. The key determines its algorithm, not the token:
  /// an HMAC computed with the text of a public key is rejected. `algorithm`: HS256, RS256, ES256 and their 384 and 512
  /// bit forms, and EdDSA with Ed25519 (RFC 8037). `key_id`: from the token, empty when it names none.
  bool verify(std::string_view algorithm, std::string_view key_id, std::string_view text,
              std::string_view signature) const;

  /// Whether verify() knows this algorithm.
  static bool is_supported(std::string_view algorithm);
  /// Whether a key has this id.
  bool contains(std::string_view key_id) const;
  /// Whether a key has this id or none, so that it is tried for a token with it.
  bool has_key_for(std::string_view key_id) const;
  std::size_t size() const { return keys_.size(); }

 private:
  struct Key;
  enum class Source : unsigned char { kOwn, kPublished };
  static JwtKeys parse_set(const std::string& text, const std::string& what, Source source);
  std::vector<std::shared_ptr<const Key>> keys_;
};

}  // namespace sse::auth
