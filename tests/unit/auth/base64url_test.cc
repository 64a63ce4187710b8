#include "auth/base64url.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace sse::auth {
namespace {

// RFC 4648 §10, without the padding.
TEST(Base64Url, ReadsTheExamplesOfTheRfc) {
  EXPECT_EQ(base64url_decode(""), "");
  EXPECT_EQ(base64url_decode("Zg"), "f");
  EXPECT_EQ(base64url_decode("Zm8"), "fo");
  EXPECT_EQ(base64url_decode("Zm9v"), "foo");
  EXPECT_EQ(base64url_decode("Zm9vYg"), "foob");
  EXPECT_EQ(base64url_decode("Zm9vYmE"), "fooba");
  EXPECT_EQ(base64url_decode("Zm9vYmFy"), "foobar");
}

TEST(Base64Url, ReadsTheAlphabetOfUrls) {
  EXPECT_EQ(base64url_decode("-_-_"), "\xFB\xFF\xBF");
  EXPECT_EQ(base64url_decode("AAAA"), std::string(3, '\0'));
}

// Two texts for the same bytes would be two spellings of one token.
TEST(Base64Url, RefusesEveryOtherSpelling) {
  for (const char* text :
       {"Zg==", "Zm8=", "Z", "Zm9vY", "+/+/", "Zm 9", "Zm9v\n", "Zh", "Zm9", "Zm9=", "Z*9v", "Zm9vYh"})
    EXPECT_EQ(base64url_decode(text), std::nullopt) << text;
}

}  // namespace
}  // namespace sse::auth
