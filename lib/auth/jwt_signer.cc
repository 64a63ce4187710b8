#include "auth/jwt_signer.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <array>
#include <string_view>
#include <utility>

#include "auth/base64url.h"
#include "auth/file_kind.h"
#include "auth/jwt_keys.h"
#include "auth/openssl_owned.h"
#include "base/error.h"
#include "event/json.h"

namespace sse::auth {
namespace {

using event::Json;

constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kRsaBits = 3072;  // NIST SP 800-57: 128 bits of security, as P-256 and Ed25519

using SecretNumber = std::unique_ptr<BIGNUM, OpensslDeleter<BN_clear_free>>;

Error unusable(const std::string& what, const std::string& why) {
  return {ErrorCode::kInvalidArgument, what + " " + why};
}

[[noreturn]] void openssl_failed(const char* doing) {
  ERR_clear_error();
  throw Error(ErrorCode::kInternal, std::string("OpenSSL cannot ") + doing);
}

std::string number_parameter(EVP_PKEY* key, const char* name, std::size_t size) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &number) != 1) openssl_failed("read a key");
  const SecretNumber owned(number);
  std::string bytes(size == 0 ? static_cast<std::size_t>(BN_num_bytes(number)) : size, '\0');
  if (BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size())) < 0)
    openssl_failed("read a key");
  return base64url_encode(bytes);
}

std::string sha256(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
    openssl_failed("compute a digest");
  return {reinterpret_cast<const char*>(digest.data()), size};
}

int no_passphrase(char*, int, int, void*) {
  return -1;
}

}  // namespace

struct JwtSigner::Key {
  std::string secret;  // for HS256
  OwnedKey key;        // otherwise
  std::string algorithm;
  std::size_t coordinate = 0;  // bytes, for EC
  Json jwk;                    // the required members of the public key (RFC 7638 §3.2)

  std::string signature(std::string_view text) const;
};

namespace {

struct Curve {
  const char* openssl;
  const char* name;
  const char* algorithm;
  std::size_t bytes;
};
constexpr std::array kCurves{Curve{"prime256v1", "P-256", "ES256", 32}, Curve{"secp384r1", "P-384", "ES384", 48},
                             Curve{"secp521r1", "P-521", "ES512", 66}};

const Curve* curve_of(EVP_PKEY* key) {
  std::array<char, 64> name{};
  if (EVP_PKEY_get_group_name(key, name.data(), name.size(), nullptr) != 1) return nullptr;
  for (const Curve& curve : kCurves) {
    if (std::string_view(name.data()) == curve.openssl) return &curve;
  }
  return nullptr;
}

// R and S concatenated (RFC 7518 §3.4).
std::string joined_pair(const std::string& der, std::size_t coordinate) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const OwnedSignature pair(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  if (pair == nullptr) openssl_failed("read a signature");
  std::string bytes(2 * coordinate, '\0');
  auto* out = reinterpret_cast<unsigned char*>(bytes.data());
  BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), out, static_cast<int>(coordinate));
  BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), out + coordinate, static_cast<int>(coordinate));
  return bytes;
}

}  // namespace

std::string JwtSigner::Key::signature(std::string_view text) const {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  if (key == nullptr) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), bytes, text.size(), digest.data(), &size) ==
        nullptr)
      openssl_failed("compute an HMAC");
    return {reinterpret_cast<const char*>(digest.data()), size};
  }
  const EVP_MD* digest = algorithm == "EdDSA"   ? nullptr
                         : algorithm == "ES384" ? EVP_sha384()
                         : algorithm == "ES512" ? EVP_sha512()
                                                : EVP_sha256();
  const OwnedDigestContext context(EVP_MD_CTX_new());
  std::size_t size = 0;
  if (EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) != 1)
    openssl_failed("sign");
  std::string out(size, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size, bytes, text.size()) != 1)
    openssl_failed("sign");
  out.resize(size);
  return coordinate == 0 ? out : joined_pair(out, coordinate);
}

JwtSigner::JwtSigner(std::shared_ptr<const Key> key) : key_(std::move(key)), algorithm_(key_->algorithm) {
  if (key_->key == nullptr) return;
  key_id_ = base64url_encode(sha256(event::dump_json(key_->jwk)));
  Json published = key_->jwk;
  published["kid"] = key_id_;
  published["alg"] = algorithm_;
  published["use"] = "sig";
  public_set_ = event::dump_json({{"keys", Json::array({published})}}) + "\n";
}

namespace {

// Fills in what follows from the key.
template <class Key>
std::shared_ptr<const Key> described(OwnedKey pkey, const std::string& what) {
  auto key = std::make_shared<Key>();
  EVP_PKEY* raw = pkey.get();
  if (EVP_PKEY_is_a(raw, "RSA") == 1) {
    if (EVP_PKEY_get_bits(raw) < JwtKeys::kMinRsaBits) throw unusable(what, "holds an RSA key of less than 2048 bits");
    key->algorithm = "RS256";
    key->jwk = {{"kty", "RSA"},
                {"n", number_parameter(raw, OSSL_PKEY_PARAM_RSA_N, 0)},
                {"e", number_parameter(raw, OSSL_PKEY_PARAM_RSA_E, 0)}};
  } else if (EVP_PKEY_is_a(raw, "EC") == 1) {
    const Curve* curve = curve_of(raw);
    if (curve == nullptr) throw unusable(what, "holds a key on another curve than P-256, P-384 and P-521");
    key->algorithm = curve->algorithm;
    key->coordinate = curve->bytes;
    key->jwk = {{"kty", "EC"},
                {"crv", curve->name},
                {"x", number_parameter(raw, OSSL_PKEY_PARAM_EC_PUB_X, curve->bytes)},
                {"y", number_parameter(raw, OSSL_PKEY_PARAM_EC_PUB_Y, curve->bytes)}};
  } else if (EVP_PKEY_is_a(raw, "ED25519") == 1) {
    std::array<unsigned char, 32> bytes{};
    std::size_t size = bytes.size();
    if (EVP_PKEY_get_raw_public_key(raw, bytes.data(), &size) != 1) openssl_failed("read a key");
    key->algorithm = "EdDSA";
    key->jwk = {{"kty", "OKP"},
                {"crv", "Ed25519"},
                {"x", base64url_encode({reinterpret_cast<const char*>(bytes.data()), size})}};
  } else {
    throw unusable(what, "holds a key that is neither RSA, nor EC, nor Ed25519");
  }
  key->key = std::move(pkey);
  return key;
}

}  // namespace

JwtSigner JwtSigner::parse(const std::string& text, const std::string& what) {
  const FileKind kind = recognize(text);
  if (kind == FileKind::kJsonObject)
    throw unusable(what, "is a JSON document, such as the public keys; tokens are signed with the private key");
  if (kind == FileKind::kPem) {
    if (text.find("PRIVATE KEY-----") == std::string::npos)
      throw unusable(what, "holds a public key or a certificate; tokens are signed with the private key");
    const OwnedBio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    OwnedKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
    ERR_clear_error();
    if (key == nullptr) {
      throw unusable(what, text.find("ENCRYPTED") != std::string::npos
                               ? "is encrypted with a passphrase; decrypt it first (openssl pkey -in … -out …)"
                               : "holds a private key that is damaged or of an unknown type");
    }
    return JwtSigner(described<Key>(std::move(key), what));
  }
  auto key = std::make_shared<Key>();
  key->secret = JwtKeys::read_secret(text, what);
  key->algorithm = "HS256";
  return JwtSigner(std::move(key));
}

JwtSigner JwtSigner::generate(const std::string& algorithm) {
  if (algorithm == "HS256") {
    auto key = std::make_shared<Key>();
    key->secret.resize(kSecretBytes);
    if (RAND_bytes(reinterpret_cast<unsigned char*>(key->secret.data()), static_cast<int>(kSecretBytes)) != 1)
      openssl_failed("create random bytes");
    key->algorithm = algorithm;
    return JwtSigner(std::move(key));
  }
  OwnedKey key;
  if (algorithm == "RS256") key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", kRsaBits));
  if (algorithm == "ES256") key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  if (algorithm == "EdDSA") key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (key == nullptr) {
    ERR_clear_error();
    throw Error(ErrorCode::kInvalidArgument, "the algorithm is HS256, RS256, ES256 or EdDSA");
  }
  return JwtSigner(described<Key>(std::move(key), "the new key"));
}

std::string JwtSigner::private_text() const {
  if (key_->key == nullptr) return "base64:" + base64url_encode(key_->secret) + "\n";
  const OwnedBio bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PrivateKey(bio.get(), key_->key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    openssl_failed("write a key");
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

std::string JwtSigner::sign(const std::string& claims) const {
  Json header{{"alg", algorithm_}, {"typ", "JWT"}};
  if (!key_id_.empty()) header["kid"] = key_id_;
  const std::string text = base64url_encode(event::dump_json(header)) + "." + base64url_encode(claims);
  return text + "." + base64url_encode(key_->signature(text));
}

}  // namespace sse::auth
