#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "fuzz/fuzz.h"
#include "gateway/jwt_authenticator.h"
#include "gateway/jwt_keys.h"

namespace {

using namespace sse::gateway;
using sse::fuzz::expect;

void expect_sentence(const sse::Error& error, sse::ErrorCode code) {
  expect(error.code() == code);
  expect(sse::printable(error.what(), 100'000) == error.what());
}

void try_token(const std::string& token, const JwtKeys& keys) {
  try {
    user_of_token(token, keys, {}, sse::WallTime{});
  } catch (const sse::Error& error) {
    expect_sentence(error, sse::ErrorCode::kUnauthenticated);
  }
}

}  // namespace

// A line with a token, and behind it a file of keys or a secret: it is read, or refused with one sentence, and so is
// the token by what was read.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sse::fuzz::Input input(data, size);
  const std::string token(input.line());
  const std::string text(input.rest());
  expect(cookie_value(token, "session").size() <= token.size());
  for (const bool secret : {false, true}) {
    try {
      const JwtKeys keys = secret ? JwtKeys::parse_secret(text, "the secret") : JwtKeys::parse(text, "the keys");
      expect(keys.size() > 0);
      keys.verify("RS256", "", token, "signature");
      try_token(token, keys);
    } catch (const sse::Error& error) {
      expect_sentence(error, sse::ErrorCode::kInvalidArgument);
    }
  }
  static const JwtKeys known = JwtKeys::parse_secret("a secret of thirty-two bytes, at least", "the secret");
  try_token(token, known);
  return 0;
}
