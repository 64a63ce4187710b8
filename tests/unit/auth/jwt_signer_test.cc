#include "auth/jwt_signer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "auth/base64url.h"
#include "auth/jwt_authenticator.h"
#include "event/json.h"
#include "support/errors.h"

namespace sse::auth {
namespace {

using event::Json;
using ::testing::HasSubstr;

const WallTime kSignedAt = from_millis(1'800'000'000'000);
constexpr const char* kClaims = R"({"sub":"ann","exp":1800003600,"channels":["team.*"]})";

// RFC 8037, appendix A.1 (as PKCS #8), A.2 and A.4.
constexpr const char* kRfcPrivate =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n";
constexpr const char* kRfcPublic =
    R"({"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})";
constexpr const char* kRfcThumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
constexpr const char* kRfcSigned = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
constexpr const char* kRfcSignature =
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

JwtKeys verifier(const JwtSigner& key) {
  return key.public_set().empty() ? JwtKeys::parse_secret(key.private_text(), "secret")
                                  : JwtKeys::parse(key.public_set(), "keys");
}

TEST(JwtSigner, SignsWhatTheServerAcceptsWithEveryAlgorithm) {
  for (const char* algorithm : {"HS256", "RS256", "ES256", "EdDSA"}) {
    const JwtSigner key = JwtSigner::generate(algorithm);
    EXPECT_EQ(key.algorithm(), algorithm);
    const std::string token = key.sign(kClaims);
    EXPECT_EQ(user_of_token(token, verifier(key), {}, kSignedAt).identity.user.str(), "ann") << algorithm;
    const JwtSigner other = JwtSigner::generate(algorithm);
    EXPECT_THROW(user_of_token(token, verifier(other), {}, kSignedAt), Error) << algorithm;
    EXPECT_NE(key.private_text(), other.private_text());
    // What was written is read again as the same key.
    const JwtSigner again = JwtSigner::parse(key.private_text(), "key");
    EXPECT_EQ(again.key_id(), key.key_id());
    EXPECT_EQ(again.public_set(), key.public_set());
    EXPECT_EQ(user_of_token(again.sign(kClaims), verifier(key), {}, kSignedAt).identity.user.str(), "ann") << algorithm;
  }
}

TEST(JwtSigner, PublishesNothingOfTheSecret) {
  for (const char* algorithm : {"RS256", "ES256", "EdDSA"}) {
    const Json document = event::parse_json(JwtSigner::generate(algorithm).public_set(), "keys");
    for (const char* part : {"d", "p", "q", "k", "dp", "dq", "qi"})
      EXPECT_FALSE(document.at("keys").at(0).contains(part)) << algorithm << ' ' << part;
  }
  EXPECT_EQ(JwtSigner::generate("HS256").public_set(), "");
  EXPECT_EQ(JwtSigner::generate("HS256").key_id(), "");
}

TEST(JwtSigner, AgreesWithTheExamplesOfRfc8037) {
  const JwtSigner key = JwtSigner::parse(kRfcPrivate, "key");
  EXPECT_EQ(key.algorithm(), "EdDSA");
  EXPECT_EQ(key.key_id(), kRfcThumbprint);
  const JwtKeys keys = JwtKeys::parse(kRfcPublic, "keys");
  const std::string signature = *base64url_decode(kRfcSignature);
  EXPECT_TRUE(keys.verify("EdDSA", "", kRfcSigned, signature));
  EXPECT_TRUE(JwtKeys::parse(key.public_set(), "keys").verify("EdDSA", kRfcThumbprint, kRfcSigned, signature));
  EXPECT_FALSE(keys.verify("EdDSA", "", std::string(kRfcSigned) + "x", signature));
  EXPECT_FALSE(keys.verify("ES256", "", kRfcSigned, signature));
  EXPECT_FALSE(keys.verify("EdDSA", "", kRfcSigned, ""));
}

TEST(JwtSigner, RefusesWhatCannotSign) {
  const auto why = [](const std::string& text) {
    return std::string(testing::error_of([&] { JwtSigner::parse(text, "--key-file 'k'"); }).what());
  };
  EXPECT_THAT(why(""), HasSubstr("is empty"));
  EXPECT_THAT(why("short"), HasSubstr("less than 32 bytes"));
  EXPECT_THAT(why("<html>" + std::string(50, 'x')), HasSubstr("a web page"));
  EXPECT_THAT(why(kRfcPublic), HasSubstr("tokens are signed with the private key"));
  EXPECT_THAT(why("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), HasSubstr("holds a public key"));
  EXPECT_THAT(why("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), HasSubstr("damaged"));
  EXPECT_THAT(why("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"),
              HasSubstr("encrypted with a passphrase"));
  EXPECT_EQ(testing::error_of([] { JwtSigner::generate("none"); }).code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace sse::auth
