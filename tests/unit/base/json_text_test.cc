#include "base/json_text.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <string_view>

namespace sse {
namespace {

using namespace std::string_view_literals;

std::string string_of(std::string_view text) {
  std::string out = "x";
  append_json_string(out, text);
  return out.substr(1);
}

std::string number_of(double value) {
  std::string out = "x";
  append_json_number(out, value);
  return out.substr(1);
}

TEST(JsonText, QuotesTextAndEscapesWhatJsonDoesNotAllowInIt) {
  EXPECT_EQ(string_of(""), R"("")");
  EXPECT_EQ(string_of("Grüße 👩"), R"("Grüße 👩")");
  EXPECT_EQ(string_of("a\"b\\c/d"), R"("a\"b\\c/d")");
  EXPECT_EQ(string_of("\n\r\t"), R"("\n\r\t")");
  EXPECT_EQ(string_of("\0\x01\x1f"sv), R"("\u0000\u0001\u001f")");
}

TEST(JsonText, ReplacesBytesThatAreNoText) {
  const std::string replaced = string_of(
      "a\xff"
      "b\xc3");
  EXPECT_EQ(replaced,
            "\"a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD\"");
}

TEST(JsonText, WritesTheShortestNumberThatReadsBackTheSame) {
  EXPECT_EQ(std::stod(number_of(0.1)), 0.1);
  EXPECT_LE(number_of(0.1).size(), 3U);
  for (const double value : {1.0 / 3, 1e300, -1.5, 123456789.125, std::numeric_limits<double>::min()})
    EXPECT_EQ(std::stod(number_of(value)), value);
}

TEST(JsonText, WritesNullForWhatIsNoNumber) {
  EXPECT_EQ(number_of(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(number_of(-std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(number_of(std::numeric_limits<double>::quiet_NaN()), "null");
}

}  // namespace
}  // namespace sse
