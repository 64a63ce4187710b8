#pragma once

#include <memory>
#include <string>

namespace sse::auth {

/// A key that signs JSON Web Tokens. For the programs of an operator: the server only verifies. Immutable, thread safe.
class JwtSigner {
 public:
  /// `text`: a private key in PEM form (PKCS #8 or the traditional form; RSA of at least 2048 bits, EC on P-256, P-384
  /// or P-521, or Ed25519), or a secret as JwtKeys::parse_secret() takes it. Throws Error(kInvalidArgument) that names
  /// `what`.
  static JwtSigner parse(const std::string& text, const std::string& what);
  /// A new key. `algorithm`: HS256, RS256, ES256 or EdDSA; throws Error(kInvalidArgument) for another.
  static JwtSigner generate(const std::string& algorithm);

  /// HS256, RS256, ES256, ES384, ES512 or EdDSA: the key determines it.
  const std::string& algorithm() const { return algorithm_; }
  /// The thumbprint of the public key (RFC 7638); empty for a secret.
  const std::string& key_id() const { return key_id_; }
  /// The secret part as parse() takes it: PEM text, or `base64:…` for a secret. Ends in a line break.
  std::string private_text() const;
  /// The JWKS document for JwtKeys::parse(); empty for a secret, which has no public part.
  const std::string& public_set() const { return public_set_; }

  /// The token with these claims, a JSON object (RFC 7515 §7.1).
  std::string sign(const std::string& claims) const;

 private:
  struct Key;
  explicit JwtSigner(std::shared_ptr<const Key> key);

  std::shared_ptr<const Key> key_;
  std::string algorithm_;
  std::string key_id_;
  std::string public_set_;
};

}  // namespace sse::auth
