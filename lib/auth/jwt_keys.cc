#include "auth/jwt_keys.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "auth/base64url.h"
#include "auth/file_kind.h"
#include "auth/openssl_owned.h"
#include "base/error.h"
#include "base/text.h"
#include "event/json.h"

namespace sse::auth {
namespace {

using event::Json;

constexpr std::size_t kMinSecretBytes = 32;  // RFC 7518 §3.2
constexpr const char* kPrivateKey = "holds a private key, which this server must not have; give it the public one";

using Certificate = std::unique_ptr<X509, OpensslDeleter<X509_free>>;
using Number = std::unique_ptr<BIGNUM, OpensslDeleter<BN_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, OpensslDeleter<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, OpensslDeleter<OSSL_PARAM_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, OpensslDeleter<EVP_PKEY_CTX_free>>;

enum class Kind : unsigned char { kSecret, kRsa, kEc, kEd25519 };

struct Algorithm {
  std::string_view name;
  Kind kind;
  const EVP_MD* (*digest)();
  int curve_bits;  // for kEc
};
constexpr std::array kAlgorithms{
    Algorithm{"HS256", Kind::kSecret, EVP_sha256, 0}, Algorithm{"HS384", Kind::kSecret, EVP_sha384, 0},
    Algorithm{"HS512", Kind::kSecret, EVP_sha512, 0}, Algorithm{"RS256", Kind::kRsa, EVP_sha256, 0},
    Algorithm{"RS384", Kind::kRsa, EVP_sha384, 0},    Algorithm{"RS512", Kind::kRsa, EVP_sha512, 0},
    Algorithm{"ES256", Kind::kEc, EVP_sha256, 256},   Algorithm{"ES384", Kind::kEc, EVP_sha384, 384},
    Algorithm{"ES512", Kind::kEc, EVP_sha512, 521},   Algorithm{"EdDSA", Kind::kEd25519, nullptr, 0},
    Algorithm{"Ed25519", Kind::kEd25519, nullptr, 0},
};

const Algorithm* find_algorithm(std::string_view name) {
  for (const Algorithm& algorithm : kAlgorithms) {
    if (algorithm.name == name) return &algorithm;
  }
  return nullptr;
}

// The standard or the URL-safe alphabet, padded or not.
std::optional<std::string> base64_decode(std::string_view text) {
  std::string url(text);
  for (char& c : url) c = c == '+' ? '-' : c == '/' ? '_' : c;
  if (url.size() % 4 == 0) {
    for (int i = 0; i < 2 && url.ends_with('='); ++i) url.pop_back();
  }
  return base64url_decode(url);
}

bool is_text_of_lines(std::string_view bytes) {
  return is_valid_utf8(bytes) && bytes.find('\n') != std::string_view::npos &&
         bytes.find_first_of(std::string_view("\0\x01\x02\x03\x04\x05\x06\x07\x08\x0e\x0f", 11)) ==
             std::string_view::npos;
}

Error invalid(const std::string& what, const std::string& why) {
  return {ErrorCode::kInvalidArgument, what + " " + why};
}

Kind kind_of(EVP_PKEY* key, const std::string& what) {
  if (EVP_PKEY_is_a(key, "RSA") == 1) {
    if (EVP_PKEY_get_bits(key) < JwtKeys::kMinRsaBits) throw invalid(what, "holds an RSA key of less than 2048 bits");
    return Kind::kRsa;
  }
  if (EVP_PKEY_is_a(key, "EC") == 1) return Kind::kEc;
  if (EVP_PKEY_is_a(key, "ED25519") == 1) return Kind::kEd25519;
  throw invalid(what, "holds a key that is neither RSA, nor EC, nor Ed25519");
}

OwnedKey build(const char* type, const Builder& builder, const std::string& what) {
  const Params params(OSSL_PARAM_BLD_to_param(builder.get()));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (params == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    ERR_clear_error();
    throw invalid(what, "holds an invalid key");
  }
  return OwnedKey(key);
}

std::string bytes_field(const Json& json, const char* name, const std::string& what) {
  const auto bytes = base64url_decode(event::string_field(json, name));
  if (!bytes || bytes->empty())
    throw invalid(what, "holds a key whose '" + std::string(name) + "' is not base64url text");
  return *bytes;
}

OwnedKey rsa_key(const Json& json, const std::string& what) {
  const std::string modulus = bytes_field(json, "n", what);
  const std::string exponent = bytes_field(json, "e", what);
  const auto number = [](const std::string& bytes) {
    return Number(
        BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()), nullptr));
  };
  const Number n = number(modulus);
  const Number e = number(exponent);
  const Builder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
  return build("RSA", builder, what);
}

OwnedKey ec_key(const Json& json, const std::string& what) {
  const std::string curve = event::string_field(json, "crv");
  const std::size_t size = curve == "P-256" ? 32 : curve == "P-384" ? 48 : curve == "P-521" ? 66 : 0;
  if (size == 0) throw invalid(what, "holds a key with the unknown curve '" + printable(curve, 40) + "'");
  const std::string x = bytes_field(json, "x", what);
  const std::string y = bytes_field(json, "y", what);
  if (x.size() != size || y.size() != size)
    throw invalid(what, "holds a key whose 'x' or 'y' has another size than " + curve);
  const std::string point = "\x04" + x + y;
  const Builder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve.c_str(), 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  return build("EC", builder, what);
}

// RFC 8037 §2
OwnedKey ed25519_key(const Json& json, const std::string& what) {
  const std::string x = bytes_field(json, "x", what);
  OwnedKey key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(x.data()),
                                           x.size()));
  ERR_clear_error();
  if (key == nullptr) throw invalid(what, "holds an invalid key");
  return key;
}

// RFC 7518 §3.4: R and S concatenated; OpenSSL requires ASN.1.
std::optional<std::string> ecdsa_der(std::string_view signature, int curve_bits) {
  const std::size_t size = (static_cast<std::size_t>(curve_bits) + 7) / 8;
  if (signature.size() != 2 * size) return std::nullopt;
  const auto* bytes = reinterpret_cast<const unsigned char*>(signature.data());
  Number r(BN_bin2bn(bytes, static_cast<int>(size), nullptr));
  Number s(BN_bin2bn(bytes + size, static_cast<int>(size), nullptr));
  const OwnedSignature pair(ECDSA_SIG_new());
  if (ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1) return std::nullopt;
  static_cast<void>(r.release());
  static_cast<void>(s.release());
  unsigned char* der = nullptr;
  const int length = i2d_ECDSA_SIG(pair.get(), &der);
  if (length <= 0) return std::nullopt;
  std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(length));
  OPENSSL_free(der);
  return out;
}

}  // namespace

struct JwtKeys::Key {
  Kind kind = Kind::kSecret;
  std::string id;
  std::string algorithm;  // the only allowed algorithm; empty: any of its kind
  std::string secret;
  OwnedKey key;

  static std::shared_ptr<const Key> parse(const Json& json, const std::string& what);
  bool verify(const Algorithm& wanted, std::string_view text, std::string_view signature) const {
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    if (kind == Kind::kSecret) {
      std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
      unsigned size = 0;
      HMAC(wanted.digest(), secret.data(), static_cast<int>(secret.size()), bytes, text.size(), digest.data(), &size);
      return constant_time_equal(signature, {reinterpret_cast<const char*>(digest.data()), size});
    }
    std::string raw(signature);
    if (kind == Kind::kEc) {
      if (EVP_PKEY_get_bits(key.get()) != wanted.curve_bits) return false;
      auto der = ecdsa_der(signature, wanted.curve_bits);
      if (!der) return false;
      raw = std::move(*der);
    }
    const OwnedDigestContext context(EVP_MD_CTX_new());
    const EVP_MD* digest = wanted.digest == nullptr ? nullptr : wanted.digest();  // Ed25519 hashes by itself
    const bool good = EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key.get()) == 1 &&
                      EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(raw.data()), raw.size(),
                                       bytes, text.size()) == 1;
    ERR_clear_error();
    return good;
  }
};

// Null for a type that this server does not know.
std::shared_ptr<const JwtKeys::Key> JwtKeys::Key::parse(const Json& json, const std::string& what) {
  auto key = std::make_shared<Key>();
  key->id = event::string_field(json, "kid");
  key->algorithm = event::string_field(json, "alg");
  const std::string type = event::string_field(json, "kty");
  if (type == "oct") {
    key->secret = bytes_field(json, "k", what);
    if (key->secret.size() < kMinSecretBytes) throw invalid(what, "holds a secret of less than 32 bytes");
    return key;
  }
  if (json.contains("d")) throw invalid(what, kPrivateKey);
  if (type == "RSA") {
    key->key = rsa_key(json, what);
  } else if (type == "EC") {
    key->key = ec_key(json, what);
  } else if (type == "OKP" && event::string_field(json, "crv") == "Ed25519") {
    key->key = ed25519_key(json, what);
  } else {
    return nullptr;
  }
  key->kind = kind_of(key->key.get(), what);
  return key;
}

JwtKeys JwtKeys::parse_set(const std::string& text, const std::string& what, Source source) {
  JwtKeys keys;
  const Json document = event::parse_json(text, what);
  if (document.contains("kty")) throw invalid(what, "is a single JWK; a JWKS document lists its keys: {\"keys\":[…]}");
  const auto list = document.find("keys");
  if (list == document.end() || !list->is_array()) throw invalid(what, "is JSON without an array 'keys'");
  for (const Json& one : *list) {
    if (!one.is_object()) throw invalid(what, "has an entry in 'keys' that is not an object");
    // Keys for other purposes or of unknown types are ignored (RFC 7517 §5).
    if (event::string_field(one, "use", "sig") != "sig") continue;
    if (source == Source::kPublished && event::string_field(one, "kty") == "oct") continue;
    try {
      if (auto key = Key::parse(one, what)) keys.keys_.push_back(std::move(key));
    } catch (const Error&) {
      if (source == Source::kOwn) throw;
    }
  }
  if (keys.keys_.empty()) throw invalid(what, "holds no signature key");
  return keys;
}

JwtKeys JwtKeys::parse_published(const std::string& text, const std::string& what) {
  const FileKind kind = recognize(text);
  if (kind != FileKind::kJsonObject) throw invalid(what, "is " + std::string(describe(kind)) + ", not a JWKS document");
  return parse_set(text, what, Source::kPublished);
}

bool JwtKeys::is_supported(std::string_view algorithm) {
  return find_algorithm(algorithm) != nullptr;
}

bool JwtKeys::contains(std::string_view key_id) const {
  return std::ranges::any_of(keys_, [&](const auto& key) { return key->id == key_id; });
}

bool JwtKeys::has_key_for(std::string_view key_id) const {
  return contains("") || contains(key_id);
}

JwtKeys JwtKeys::parse(const std::string& text, const std::string& what) {
  JwtKeys keys;
  constexpr const char* kWanted = "; give a JWKS document, or PEM public keys or certificates";
  const FileKind kind = recognize(text);
  switch (kind) {
    case FileKind::kEmpty:
      throw invalid(what, "is empty");
    case FileKind::kJsonObject:
    case FileKind::kPem:
      break;
    case FileKind::kOther:
      throw invalid(what, std::string("is neither a JWKS document nor PEM text") + kWanted +
                              ", or a secret with --jwt-secret-file");
    default:
      throw invalid(what, "is " + std::string(describe(kind)) + kWanted);
  }
  if (kind == FileKind::kJsonObject) return parse_set(text, what, Source::kOwn);
  if (text.find("PRIVATE KEY-----") != std::string::npos) throw invalid(what, kPrivateKey);
  std::size_t at = 0;
  while ((at = text.find("-----BEGIN ", at)) != std::string::npos) {
    const OwnedBio bio(BIO_new_mem_buf(text.data() + at, static_cast<int>(text.size() - at)));
    auto key = std::make_shared<Key>();
    if (text.compare(at, 27, "-----BEGIN CERTIFICATE-----") == 0) {
      const Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
      if (certificate) key->key.reset(X509_get_pubkey(certificate.get()));
    } else {
      key->key.reset(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
    }
    ERR_clear_error();
    if (!key->key) {
      throw invalid(
          what,
          "holds PEM text that is neither a public key ('BEGIN PUBLIC KEY') nor a certificate, or that is damaged");
    }
    key->kind = kind_of(key->key.get(), what);
    keys.keys_.push_back(std::move(key));
    ++at;
  }
  return keys;
}

std::string JwtKeys::read_secret(const std::string& text, const std::string& what) {
  constexpr std::string_view kEncoded = "base64:";
  const FileKind kind = recognize(text);
  if (kind == FileKind::kEmpty) throw invalid(what, "is empty");
  if (kind != FileKind::kOther) {
    throw invalid(
        what, "is " + std::string(describe(kind)) + ", which may be public; a secret is at least 32 random bytes" +
                  (kind == FileKind::kJsonObject || kind == FileKind::kPem ? ", and keys go to --jwt-key-file" : ""));
  }
  std::string_view bytes = text;
  if (bytes.ends_with('\n')) bytes.remove_suffix(1);
  if (bytes.ends_with('\r')) bytes.remove_suffix(1);
  std::string secret(bytes);
  if (bytes.starts_with(kEncoded)) {
    auto decoded = base64_decode(bytes.substr(kEncoded.size()));
    if (!decoded) throw invalid(what, "begins with base64:, but the rest is not one line of base64");
    secret = std::move(*decoded);
  } else if (is_text_of_lines(bytes)) {
    throw invalid(what, "holds several lines of text; a secret is one line, or bytes in base64 (base64:…)");
  }
  if (secret.size() < kMinSecretBytes) throw invalid(what, "holds a secret of less than 32 bytes");
  return secret;
}

JwtKeys JwtKeys::parse_secret(const std::string& text, const std::string& what) {
  auto key = std::make_shared<Key>();
  key->secret = read_secret(text, what);
  JwtKeys keys;
  keys.keys_.push_back(std::move(key));
  return keys;
}

bool JwtKeys::verify(std::string_view algorithm, std::string_view key_id, std::string_view text,
                     std::string_view signature) const {
  const Algorithm* wanted = find_algorithm(algorithm);
  if (wanted == nullptr) return false;
  for (const auto& key : keys_) {
    if (key->kind != wanted->kind || (!key->algorithm.empty() && key->algorithm != algorithm)) continue;
    // A key without an id matches every `kid`.
    if (!key_id.empty() && !key->id.empty() && key->id != key_id) continue;
    if (key->verify(*wanted, text, signature)) return true;
  }
  return false;
}

}  // namespace sse::auth
