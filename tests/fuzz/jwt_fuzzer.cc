#include <string>

#include "auth/jwt_authenticator.h"
#include "auth/jwt_keys.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "fuzz/fuzz.h"

namespace {

using namespace sse;
using namespace sse::auth;
using sse::fuzz::expect;

void expect_sentence(const sse::Error& error, sse::ErrorCode code) {
  expect(error.code() == code);
  expect(sse::printable(error.what(), 100'000) == error.what());
}

void try_token(const std::string& token, const auth::JwtKeys& keys) {
  try {
    auth::user_of_token(token, keys, {}, sse::WallTime{});
  } catch (const sse::Error& error) {
    expect_sentence(error, sse::ErrorCode::kUnauthenticated);
  }
}

}  // namespace

// Input: a line with a token, then a key file or a secret. Both the keys and the token are either accepted or refused
// with one sentence.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sse::fuzz::Input input(data, size);
  const std::string token(input.line());
  const std::string text(input.rest());
  expect(auth::cookie_value(token, "session").size() <= token.size());
  for (const bool secret : {false, true}) {
    try {
      const auth::JwtKeys keys =
          secret ? auth::JwtKeys::parse_secret(text, "the secret") : auth::JwtKeys::parse(text, "the keys");
      expect(keys.size() > 0);
      keys.verify("RS256", "", token, "signature");
      try_token(token, keys);
    } catch (const sse::Error& error) {
      expect_sentence(error, sse::ErrorCode::kInvalidArgument);
    }
  }
  static const auth::JwtKeys known =
      auth::JwtKeys::parse_secret("a secret of thirty-two bytes, at least", "the secret");
  try_token(token, known);
  return 0;
}
