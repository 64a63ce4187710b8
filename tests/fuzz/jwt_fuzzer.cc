#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "fuzz/fuzz.h"
#include "gateway/jwt_authenticator.h"
#include "gateway/jwt_keys.h"

// A line with a token, and behind it the file of keys: no token is good but for a key that was read.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sse::gateway;
  using sse::fuzz::expect;
  sse::fuzz::Input input(data, size);
  const std::string token(input.line());
  expect(cookie_value(token, "session").size() <= token.size());
  const auto printable = [](const sse::Error& error) { expect(sse::printable(error.what(), 100'000) == error.what()); };
  try {
    const JwtKeys keys = JwtKeys::parse(std::string(input.rest()), "the keys");
    expect(keys.size() > 0);
    keys.verify("RS256", "", token, "signature");
    try {
      user_of_token(token, keys, {}, sse::WallTime{});
    } catch (const sse::Error& error) {
      expect(error.code() == sse::ErrorCode::kUnauthenticated);
      printable(error);
    }
  } catch (const sse::Error& error) {
    expect(error.code() == sse::ErrorCode::kInvalidArgument);
    printable(error);
  }
  static const JwtKeys known = JwtKeys::parse("a secret of thirty-two bytes, at least", "the keys");
  try {
    user_of_token(token, known, {}, sse::WallTime{});
  } catch (const sse::Error& error) {
    printable(error);
  }
  return 0;
}
