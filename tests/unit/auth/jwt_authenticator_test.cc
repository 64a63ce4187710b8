#include "auth/jwt_authenticator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "auth/base64url.h"
#include "base/error.h"
#include "event/json.h"
#include "support/files.h"
#include "unit/auth/fake_request.h"

namespace sse::auth {
namespace {

using event::Json;

// RFC 7515, appendices A.1 and A.3.
constexpr const char* kRfcHs256 =
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
constexpr const char* kRfcHs256Key =
    R"({"keys":[{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}]})";
constexpr const char* kRfcEs256 =
    "eyJhbGciOiJFUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
constexpr const char* kRfcEs256Key =
    R"({"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})";
const WallTime kRfcTime = from_millis(1'300'819'000'000);

std::string base64url(const std::string& bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 6;) out += kDigits[bits >> (count -= 6) & 63U];
  }
  if (count > 0) out += kDigits[bits << (6 - count) & 63U];
  return out;
}

const std::string kSecret = "a secret that is long enough for HMAC-SHA256";
const WallTime kNow = from_millis(1'800'000'000'000);
constexpr std::int64_t kNowSeconds = 1'800'000'000;

class JwtTest : public ::testing::Test {
 protected:
  using PublicKey = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

  static PublicKey rsa(unsigned bits = 2048) { return {EVP_RSA_gen(bits), EVP_PKEY_free}; }
  static PublicKey ec(const char* curve = "P-256") { return {EVP_EC_gen(curve), EVP_PKEY_free}; }
  static std::string pem(const PublicKey& key) {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, key.get());
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio, &text);
    std::string out(text, static_cast<std::size_t>(size));
    BIO_free(bio);
    return out;
  }
  static std::string der(const PublicKey& key) {
    unsigned char* bytes = nullptr;
    const int size = i2d_PUBKEY(key.get(), &bytes);
    std::string out(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
    OPENSSL_free(bytes);
    return out;
  }
  static std::vector<std::string> not_secrets() {
    return {"",
            "\n",
            "short\n",
            "base64:c2hvcnQ=",
            "base64:" + std::string(50, '*'),
            "base64:AAAA AAAA",
            "<!DOCTYPE html><html><body>502 Bad Gateway, and some more</body></html>",
            "<?xml version=\"1.0\"?><error>no such secret, no such secret</error>",
            kRfcHs256Key,
            R"({"error":"not found, and more text than thirty-two bytes"})",
            R"(["a list of texts", "that is longer than thirty-two bytes"])",
            "\xEF\xBB\xBF" + kSecret,
            pem(ec()),
            der(ec()),
            der(rsa()),
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6Zx1Vx1Vx1Vx1Vx1Vx1Vx1Vx1Vx1V me@example.org\n",
            "a first line of text, rather long\nand a second line, too\n",
            kSecret + "\n\n",
            "404 page not found\n"};
  }
  static std::string hmac(const std::string& key, const std::string& text) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
         text.size(), digest, &size);
    return {reinterpret_cast<char*>(digest), size};
  }
  static std::string sign(const PublicKey& key, const std::string& text) {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key.get());
    std::size_t size = 0;
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    EVP_DigestSign(context, nullptr, &size, bytes, text.size());
    std::string out(size, '\0');
    EVP_DigestSign(context, reinterpret_cast<unsigned char*>(out.data()), &size, bytes, text.size());
    out.resize(size);
    EVP_MD_CTX_free(context);
    if (EVP_PKEY_is_a(key.get(), "EC") != 1) return out;
    const auto* der = reinterpret_cast<const unsigned char*>(out.data());
    ECDSA_SIG* pair = d2i_ECDSA_SIG(nullptr, &der, static_cast<long>(out.size()));
    std::string raw(64, '\0');
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), reinterpret_cast<unsigned char*>(raw.data()), 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), reinterpret_cast<unsigned char*>(raw.data()) + 32, 32);
    ECDSA_SIG_free(pair);
    return raw;
  }

  static std::string unsigned_token(const Json& head, const Json& claims) {
    return base64url(head.dump()) + "." + base64url(claims.dump());
  }
  static std::string token(const Json& claims, const std::string& secret = kSecret,
                           const Json& head = {{"alg", "HS256"}}) {
    const std::string text = unsigned_token(head, claims);
    return text + "." + base64url(hmac(secret, text));
  }
  static Json claims(const Json& more = Json::object()) {
    Json all{{"sub", "ann"}, {"exp", kNowSeconds + 600}};
    all.update(more);
    return all;
  }
  User user(const std::string& text) const {
    return user_of_token(text, JwtKeys::parse_secret(kSecret, "keys"), options_, kNow);
  }
  std::string why_refused(const std::string& text) const {
    try {
      user(text);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kUnauthenticated) << e.what();
      return e.what();
    }
    return "accepted";
  }

  JwtOptions options_;
};

TEST_F(JwtTest, KnowsTheRfcsExamples) {
  options_.user_claim = "iss";
  EXPECT_EQ(user_of_token(kRfcHs256, JwtKeys::parse(kRfcHs256Key, "k"), options_, kRfcTime).identity.user,
            UserId("joe"));
  EXPECT_EQ(user_of_token(kRfcEs256, JwtKeys::parse(kRfcEs256Key, "k"), options_, kRfcTime).identity.user,
            UserId("joe"));
}

TEST_F(JwtTest, MapsClaims) {
  options_.tenant_claim = "org";
  options_.token_claim = "sid";
  const User ann = user(token(claims({{"org", 7}, {"sid", "s1"}, {"name", "Ann"}})));
  EXPECT_EQ(ann.identity.user, UserId("ann"));
  EXPECT_EQ(ann.identity.tenant, TenantId("7"));
  EXPECT_EQ(ann.identity.token, AccessToken("s1"));
  EXPECT_EQ(Json::parse(ann.profile), (Json{{"id", "ann"}, {"name", "Ann"}}));
  // What other users in a channel may see.
  EXPECT_EQ(Json::parse(user(token(claims({{"presence", {{"name", "A."}}}}))).profile),
            (Json{{"id", "ann"}, {"presence", {{"name", "A."}}}}));
  EXPECT_EQ(Json::parse(user(token(claims({{"presence", "A."}}))).profile), (Json{{"id", "ann"}}));
  EXPECT_EQ(*ann.expires, kNow + std::chrono::seconds(600) + options_.leeway);
}

TEST_F(JwtTest, TakesTheChannelsOfAClaimThatIsAList) {
  EXPECT_TRUE(user(token(claims())).channels.empty());
  EXPECT_TRUE(user(token(claims({{"channels", nullptr}}))).channels.empty());
  EXPECT_EQ(user(token(claims({{"channels", {"news", "team.*"}}}))).channels,
            (std::vector<std::string>{"news", "team.*"}));
  for (const Json& none : {Json("news"), Json(7), Json(true), Json{{"news", true}}})
    EXPECT_THAT(why_refused(token(claims({{"channels", none}}))),
                ::testing::HasSubstr("its claim 'channels' is not a list of channel names"));
  EXPECT_THAT(why_refused(token(claims({{"channels", {"news", 7}}}))), ::testing::HasSubstr("lists 7"));
  EXPECT_THAT(why_refused(token(claims({{"channels", {"a*b"}}}))), ::testing::HasSubstr("'a*b' is no pattern"));
  options_.channels_claim = "rooms";
  EXPECT_EQ(user(token(claims({{"channels", 7}, {"rooms", {"news"}}}))).channels, std::vector<std::string>{"news"});
  options_.channels_claim = "";
  EXPECT_TRUE(user(token(claims({{"channels", 7}}))).channels.empty());
}

TEST_F(JwtTest, TakesWherePagesMayPublishFromAClaimOfItsOwn) {
  const User ann = user(token(claims({{"channels", {"news"}}, {"publish", {"room.*"}}})));
  EXPECT_EQ(ann.channels, std::vector<std::string>{"news"});
  EXPECT_EQ(ann.publish, std::vector<std::string>{"room.*"});
  EXPECT_THAT(why_refused(token(claims({{"publish", true}}))),
              ::testing::HasSubstr("its claim 'publish' is not a list of channel names"));
  options_.publish_claim = "";
  EXPECT_TRUE(user(token(claims({{"publish", true}}))).publish.empty());
}

TEST_F(JwtTest, ChecksTimes) {
  EXPECT_EQ(why_refused(token(claims({{"exp", kNowSeconds - 29}}))), "accepted");
  EXPECT_EQ(why_refused(token(claims({{"exp", kNowSeconds - 30}}))), "it has expired");
  EXPECT_EQ(why_refused(token(claims({{"nbf", kNowSeconds + 29}}))), "accepted");
  EXPECT_EQ(why_refused(token(claims({{"nbf", kNowSeconds + 31}}))), "it is not valid yet");
  EXPECT_EQ(why_refused(token({{"sub", "ann"}})), "it has no expiration time (exp)");
  EXPECT_EQ(why_refused(token(claims({{"exp", "soon"}}))), "its exp is not a time");
  EXPECT_EQ(why_refused(token(claims({{"exp", 1e300}}))), "its exp is not a time");
}

TEST_F(JwtTest, ChecksIssuerAndAudience) {
  EXPECT_NE(why_refused(token(claims({{"aud", "somebody"}}))), "accepted");
  options_.audience = {"sse", "other"};
  EXPECT_EQ(why_refused(token(claims({{"aud", "sse"}}))), "accepted");
  EXPECT_EQ(why_refused(token(claims({{"aud", {"x", "other"}}}))), "accepted");
  EXPECT_NE(why_refused(token(claims({{"aud", {"x", 5}}}))), "accepted");
  EXPECT_NE(why_refused(token(claims())), "accepted");
  options_.audience.clear();
  options_.issuer = "https://id.example.org";
  EXPECT_EQ(why_refused(token(claims({{"iss", options_.issuer}}))), "accepted");
  EXPECT_NE(why_refused(token(claims({{"iss", "https://id.example.org/"}}))), "accepted");
  EXPECT_NE(why_refused(token(claims())), "accepted");
}

TEST_F(JwtTest, RefusesWhatIsNotSignedByOurKey) {
  const std::string good = token(claims());
  EXPECT_EQ(why_refused(good), "accepted");
  EXPECT_NE(why_refused(token(claims(), kSecret + "!")), "accepted");
  const std::string none = unsigned_token({{"alg", "none"}}, claims());
  for (const std::string end : {".", "", ".x"}) EXPECT_NE(why_refused(none + end), "accepted");
  EXPECT_NE(why_refused(token(claims(), kSecret, {{"alg", "hs256"}})), "accepted");
  EXPECT_NE(why_refused(token(claims(), kSecret, {{"alg", "HS512"}})), "accepted");
  EXPECT_NE(why_refused(token(claims(), kSecret, {{"alg", 5}})), "accepted");
  EXPECT_NE(why_refused(token(claims(), kSecret, {{"alg", "HS256"}, {"crit", {"exp"}}})), "accepted");
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string changed = good;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_NE(why_refused(changed), "accepted") << i;
    EXPECT_NE(why_refused(good.substr(0, i)), "accepted") << i;
  }
  for (const std::string& junk :
       std::initializer_list<std::string>{"", ".", "..", "...", "a.b.c", good + ".x", good + "="})
    EXPECT_NE(why_refused(junk), "accepted") << junk;
}

TEST_F(JwtTest, LetsTheKeyDecideWhatItIsFor) {
  const PublicKey key = rsa();
  const JwtKeys keys = JwtKeys::parse(pem(key), "keys");
  const std::string text = unsigned_token({{"alg", "RS256"}}, claims());
  EXPECT_EQ(user_of_token(text + "." + base64url(sign(key, text)), keys, options_, kNow).identity.user, UserId("ann"));
  // The public key is public: what it signs as a secret proves nothing.
  EXPECT_THROW(user_of_token(token(claims(), pem(key)), keys, options_, kNow), Error);
  // Nor is a signature of one algorithm one of another.
  const std::string other = unsigned_token({{"alg", "ES256"}}, claims());
  EXPECT_THROW(user_of_token(other + "." + base64url(sign(key, other)), keys, options_, kNow), Error);
}

TEST_F(JwtTest, TakesKeysOfEllipticCurves) {
  const PublicKey key = ec();
  const std::string text = unsigned_token({{"alg", "ES256"}}, claims());
  const std::string good = text + "." + base64url(sign(key, text));
  EXPECT_EQ(user_of_token(good, JwtKeys::parse(pem(key), "k"), options_, kNow).identity.user, UserId("ann"));
  EXPECT_THROW(user_of_token(good, JwtKeys::parse(pem(ec()), "k"), options_, kNow), Error);
  EXPECT_THROW(user_of_token(good, JwtKeys::parse(pem(ec("P-384")), "k"), options_, kNow), Error);
  EXPECT_THROW(
      user_of_token(text + "." + base64url(std::string(64, '\0')), JwtKeys::parse(pem(key), "k"), options_, kNow),
      Error);
}

TEST_F(JwtTest, ChoosesByKeyId) {
  const auto oct = [](const std::string& id, const std::string& secret) -> Json {
    return {{"kty", "oct"}, {"kid", id}, {"alg", "HS256"}, {"k", base64url(secret)}};
  };
  const JwtKeys keys = JwtKeys::parse(
      Json{{"keys", {oct("old", kSecret), oct("new", kSecret + "2"), {{"kty", "OKP"}, {"crv", "X25519"}}}}}.dump(),
      "keys");
  EXPECT_EQ(keys.size(), 2U);
  const auto accepts = [&](const std::string& secret, const Json& head) {
    try {
      user_of_token(token(claims(), secret, head), keys, options_, kNow);
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  EXPECT_TRUE(accepts(kSecret, {{"alg", "HS256"}, {"kid", "old"}}));
  EXPECT_TRUE(accepts(kSecret + "2", {{"alg", "HS256"}, {"kid", "new"}}));
  EXPECT_TRUE(accepts(kSecret + "2", {{"alg", "HS256"}}));
  EXPECT_FALSE(accepts(kSecret, {{"alg", "HS256"}, {"kid", "new"}}));
  EXPECT_FALSE(accepts(kSecret, {{"alg", "HS256"}, {"kid", "unknown"}}));
}

TEST_F(JwtTest, RefusesKeysThatAreNone) {
  const std::vector<std::string> bad{
      "",
      "short",
      "{}",
      R"({"keys":5})",
      R"({"keys":[]})",
      R"({"keys":[5]})",
      R"({"keys":[{"kty":"oct","k":"c2hvcnQ"}]})",
      R"({"keys":[{"kty":"oct","k":"***"}]})",
      R"({"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]})",
      R"({"keys":[{"kty":"EC","crv":"P-999","x":"AA","y":"AA"}]})",
      "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
      "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
      pem(rsa(1024)),
  };
  for (const std::string& text : bad) EXPECT_THROW(JwtKeys::parse(text, "keys"), Error) << text;
}

// What may lie where keys are expected: by a mistake, or put there by a tool or a proxy.
const std::string kErrorPage =
    "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body></body></html>\n";
const std::string kSshKey =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6Zx1Vx1Vx1Vx1Vx1Vx1Vx1Vx1Vx1Vx1Vx1Vx1Vx1Vx me@example.org\n";

TEST_F(JwtTest, TakesNothingForAKeyButJwksAndPem) {
  const std::string good = pem(ec());
  EXPECT_EQ(JwtKeys::parse("Subject: CN=x\n" + good + good, "k").size(), 2U);
  EXPECT_EQ(JwtKeys::parse("\n " + std::string(kRfcEs256Key), "k").size(), 1U);
  const auto why = [](const std::string& text) -> std::string {
    try {
      JwtKeys::parse(text, "--jwt-key-file 'k'");
      return "accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
      return e.what();
    }
  };
  const std::vector<std::pair<std::string, std::string>> refused{
      {kSecret, "--jwt-secret-file"},
      {std::string(64, 'x') + "\n", "--jwt-secret-file"},
      {kErrorPage, "web page"},
      {"  \n" + kErrorPage, "web page"},
      {"<?xml version=\"1.0\"?><error>no such key, no such key, no such key</error>", "web page"},
      {"<Error><Code>AccessDenied</Code><Message>Access Denied to this object</Message></Error>", "web page"},
      {"\xEF\xBB\xBF" + std::string(kRfcEs256Key), "byte order mark"},
      {std::string("\xFF\xFE{\0\"\0k\0", 8) + std::string(40, 'x'), "byte order mark"},
      {"[" + std::string(kRfcEs256Key) + "]", "JSON, but not an object"},
      {"\"a text in JSON that is longer than thirty-two bytes\"", "JSON, but not an object"},
      {R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})",
       "single JWK"},
      {R"({"error":"not found, and more text than thirty-two bytes"})", "without an array 'keys'"},
      {std::string(kRfcEs256Key).substr(0, 100), "--jwt-key-file 'k'"},
      {R"({"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}]})",
       "private key"},
      {kSshKey, "an SSH key"},
      {der(ec()), "DER"},
      {der(rsa()), "DER"},
      {"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "private key"},
      {good + "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n", "private key"},
      {good + good.substr(0, good.size() / 2), "damaged"},
      {"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "neither a public key"},
      {std::string("\x1f\x8b") + std::string(50, 'x'), "archive"},
      {" \r\n\t", "is empty"},
  };
  for (const auto& [text, sentence] : refused) {
    const std::string said = why(text);
    EXPECT_NE(said.find(sentence), std::string::npos) << text << "\n" << said;
    EXPECT_TRUE(said.starts_with("--jwt-key-file 'k' ")) << said;
  }
}

TEST_F(JwtTest, TakesNothingForASecretThatIsSomethingElse) {
  for (const std::string& text : not_secrets()) EXPECT_THROW(JwtKeys::parse_secret(text, "s"), Error) << text;
}

TEST_F(JwtTest, TakesASecretAsItIsOrInBase64) {
  const auto accepted = [&](const std::string& file, const std::string& secret) {
    try {
      user_of_token(token(claims(), secret), JwtKeys::parse_secret(file, "s"), options_, kNow);
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  EXPECT_TRUE(accepted(kSecret, kSecret));
  EXPECT_TRUE(accepted(kSecret + "\n", kSecret));
  EXPECT_TRUE(accepted(kSecret + "\r\n", kSecret));
  EXPECT_FALSE(accepted(kSecret + "\n\n", kSecret)) << "one line break does not count";
  EXPECT_TRUE(accepted(" " + kSecret + " \n", " " + kSecret + " ")) << "blanks do";
  // Bytes that are no text.
  std::string binary;
  for (int i = 0; i < 64; ++i) binary += static_cast<char>(i * 37);
  EXPECT_TRUE(accepted(binary, binary));
  EXPECT_TRUE(accepted("base64:" + base64url(binary), binary));
  EXPECT_TRUE(accepted("base64:" + base64url(binary) + "==\r\n", binary));
  std::string plain = base64url(binary);
  for (char& c : plain) c = c == '-' ? '+' : c == '_' ? '/' : c;
  EXPECT_TRUE(accepted("base64:" + plain + "\n", binary));
  // What only looks a little like something else.
  for (const std::string& odd : {"<3 " + kSecret + ">", "[" + kSecret, "\"" + kSecret, "ssh-" + kSecret})
    EXPECT_TRUE(accepted(odd, odd)) << odd;
}

TEST_F(JwtTest, UsesKeysAndASecretTogether) {
  testing::TempFolder folder;
  const PublicKey key = ec();
  options_.key_file = folder.file("keys.pem");
  options_.secret_file = folder.file("secret");
  std::ofstream(options_.key_file) << pem(key);
  std::ofstream(options_.secret_file) << "base64:" << base64url(kSecret) << "\n";
  const auto authenticator = make_jwt_authenticator(options_);
  const auto soon = to_millis(wall_now()) / 1000 + 600;
  const std::string text = unsigned_token({{"alg", "ES256"}}, {{"sub", "bob"}, {"exp", soon}});
  const auto both_work = [&] {
    FakeRequest page;
    page.parameters["access-token"] = token({{"sub", "ann"}, {"exp", soon}});
    const bool first = authenticator->authenticate(page).has_value();
    page.parameters["access-token"] = text + "." + base64url(sign(key, text));
    return first && authenticator->authenticate(page).has_value();
  };
  EXPECT_TRUE(both_work());
  // One that makes no sense changes neither.
  std::ofstream(options_.secret_file) << kSecret << "-new\n";
  std::ofstream(options_.key_file) << kErrorPage;
  EXPECT_THROW(authenticator->reload(), Error);
  EXPECT_TRUE(both_work());
  std::filesystem::remove(options_.key_file);
  EXPECT_THROW(authenticator->reload(), Error);
  EXPECT_TRUE(both_work());
}

TEST_F(JwtTest, DecodesBase64UrlStrictly) {
  EXPECT_EQ(base64url_decode(""), "");
  EXPECT_EQ(base64url_decode("Zg"), "f");
  EXPECT_EQ(base64url_decode("Zm8"), "fo");
  EXPECT_EQ(base64url_decode("Zm9v"), "foo");
  EXPECT_EQ(base64url_decode("-_8"), "\xfb\xff");
  for (const std::string bad : {"Z", "Zg==", "Zh", "Zm9", "Zm+v", "Zm/v", "Zm v", "Zm9vZ"})
    EXPECT_FALSE(base64url_decode(bad)) << bad;
}

TEST_F(JwtTest, ReadsCookies) {
  EXPECT_EQ(cookie_value("a=1; jwt=x.y.z; b=2", "jwt"), "x.y.z");
  EXPECT_EQ(cookie_value("jwt=\"q\"", "jwt"), "q");
  EXPECT_EQ(cookie_value("xjwt=1;jwt=2", "jwt"), "2");
  EXPECT_EQ(cookie_value("jwt", "jwt"), "");
  EXPECT_EQ(cookie_value("", "jwt"), "");
  EXPECT_EQ(cookie_value("a=b=c", "a"), "b=c");
}

TEST_F(JwtTest, LooksInHeaderParameterAndCookie) {
  testing::TempFolder folder;
  options_.secret_file = folder.file("key");
  options_.cookie = "jwt";
  std::ofstream(options_.secret_file) << kSecret << "\n";
  const auto authenticator = make_jwt_authenticator(options_);
  const auto soon = to_millis(wall_now()) / 1000 + 600;
  const std::string ann = token({{"sub", "ann"}, {"exp", soon}});
  const auto who = [&](const FakeRequest& page) {
    try {
      const auto user = authenticator->authenticate(page);
      return user ? user->identity.user.str() : "nobody";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kUnauthenticated);
      return std::string("nobody");
    }
  };
  FakeRequest page;
  EXPECT_EQ(who(page), "nobody");
  page.headers["Cookie"] = "x=y; jwt=" + ann;
  EXPECT_EQ(who(page), "ann");
  page.parameters["access-token"] = "nonsense";
  EXPECT_EQ(who(page), "nobody") << "a token that is wrong is not made good by another";
  page.parameters["access-token"] = token({{"sub", "bob"}, {"exp", soon}});
  EXPECT_EQ(who(page), "bob");
  page.headers["Authorization"] = "bearer " + ann;
  EXPECT_EQ(who(page), "ann");
  page.headers["Authorization"] = "Basic " + ann;
  EXPECT_EQ(who(page), "nobody");
  // A new key, and one that cannot be read.
  page.headers["Authorization"] = "Bearer " + ann;
  std::ofstream(options_.secret_file) << kSecret << "-new\n";
  authenticator->reload();
  EXPECT_EQ(who(page), "nobody");
  for (const std::string& text : not_secrets()) {
    std::ofstream(options_.secret_file) << text;
    EXPECT_THROW(authenticator->reload(), Error) << text;
  }
  page.headers["Authorization"] = "Bearer " + token({{"sub", "ann"}, {"exp", soon}}, kSecret + "-new");
  EXPECT_EQ(who(page), "ann");
}

}  // namespace
}  // namespace sse::auth
