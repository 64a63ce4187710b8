#include "base/hex.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace sse {
namespace {

TEST(ToHex, WritesTwoLowerCaseDigitsForEachByte) {
  const std::array<unsigned char, 5> bytes{0x00, 0x09, 0x7f, 0xaB, 0xff};
  EXPECT_EQ(to_hex(bytes), "00097fabff");
  EXPECT_EQ(to_hex({}), "");
}

TEST(AppendUpperHex, AppendsTwoUpperCaseDigits) {
  std::string out = "%";
  append_upper_hex(out, 0xe6);
  append_upper_hex(out, 0x0a);
  EXPECT_EQ(out, "%E60A");
}

TEST(HexDigitValue, KnowsBothCasesAndNothingElse) {
  std::string digits;
  for (int c = -128; c < 128; ++c) {
    if (hex_digit_value(static_cast<char>(c)) >= 0) digits += static_cast<char>(c);
  }
  EXPECT_EQ(digits, "0123456789ABCDEFabcdef");
  EXPECT_EQ(hex_digit_value('0'), 0);
  EXPECT_EQ(hex_digit_value('9'), 9);
  EXPECT_EQ(hex_digit_value('a'), 10);
  EXPECT_EQ(hex_digit_value('F'), 15);
}

}  // namespace
}  // namespace sse
