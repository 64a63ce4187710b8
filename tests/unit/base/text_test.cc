#include "base/text.h"

#include <gtest/gtest.h>

#include "base/shown_json.h"

namespace sse {
namespace {

using namespace std::string_literals;
using Strings = std::vector<std::string>;

TEST(Utf8, AcceptsTheFirstAndLastOfEachLength) {
  for (const std::string& text :
       {""s, "\x00"s, "\x7F"s, "\xC2\x80"s, "\xDF\xBF"s, "\xE0\xA0\x80"s, "\xEF\xBF\xBF"s, "\xF0\x90\x80\x80"s,
        "\xF4\x8F\xBF\xBF"s, "\xED\x9F\xBF"s, "\xEE\x80\x80"s, "\xEF\xBB\xBF"s, "é 服务端 👩‍👩‍👧"s}) {
    EXPECT_TRUE(is_valid_utf8(text)) << printable(text);
  }
}

// Unicode 15, table 3-7 and the examples of section 3.9.
TEST(Utf8, RefusesTruncatedOverlongSurrogateAndBeyond) {
  for (const std::string& text : {"\x80"s,
                                  "\xBF"s,
                                  "\xC0\x80"s,
                                  "\xC1\xBF"s,
                                  "\xC2"s,
                                  "\xC2\x41"s,
                                  "\xC2\xC2\x80"s,
                                  "\xE0\x80\x80"s,
                                  "\xE0\x9F\xBF"s,
                                  "\xE1\x80"s,
                                  "\xE1\x80\x41"s,
                                  "\xED\xA0\x80"s,
                                  "\xED\xBF\xBF"s,
                                  "\xED\xA0\xBD\xED\xB8\x80"s,
                                  "\xF0\x80\x80\x80"s,
                                  "\xF0\x8F\xBF\xBF"s,
                                  "\xF0\x9F\x98"s,
                                  "\xF4\x90\x80\x80"s,
                                  "\xF5\x80\x80\x80"s,
                                  "\xF8\x88\x80\x80\x80"s,
                                  "\xFE"s,
                                  "\xFF"s,
                                  "ok\xE2\x82"s}) {
    EXPECT_FALSE(is_valid_utf8(text)) << printable(text);
  }
}

TEST(SplitList, CutsBlanksAndLeavesOutEmptyPieces) {
  EXPECT_EQ(split_list(""), Strings{});
  EXPECT_EQ(split_list(" , ,,\t"), Strings{});
  EXPECT_EQ(split_list("a"), Strings{"a"});
  EXPECT_EQ(split_list(" a ,b b,\tc\t,"), (Strings{"a", "b b", "c"}));
  EXPECT_EQ(split_list("a,b;c", ';'), (Strings{"a,b", "c"}));
}

TEST(Lower, TouchesAsciiOnly) {
  EXPECT_EQ(to_lower("AZaz09É@["), "azaz09É@[");
}

TEST(ConstantTimeEqual, IsEquality) {
  EXPECT_TRUE(constant_time_equal("", ""));
  EXPECT_TRUE(constant_time_equal("secret", "secret"));
  EXPECT_FALSE(constant_time_equal("secret", "secreT"));
  EXPECT_FALSE(constant_time_equal("Secret", "secret"));
  EXPECT_FALSE(constant_time_equal("secret", ""));
  EXPECT_FALSE(constant_time_equal("", "secret"));
  EXPECT_FALSE(constant_time_equal("abab", "ab"));
  EXPECT_FALSE(constant_time_equal("ab", "abab"));
}

TEST(MaskSecret, ShowsFourBytesAndNeverMoreThanAThird) {
  EXPECT_EQ(mask_secret(""), "");
  EXPECT_EQ(mask_secret("ab"), "***");
  EXPECT_EQ(mask_secret("abc"), "a***");
  EXPECT_EQ(mask_secret("abcdef"), "ab***");
  EXPECT_EQ(mask_secret("abcdefghijklmnopqrstuvwxyz"), "abcd***");
}

TEST(MaskSecret, NeverCutsACharacter) {
  EXPECT_EQ(mask_secret("服务端推送"), "服***");
  EXPECT_EQ(mask_secret("服务"), "***");
  EXPECT_TRUE(is_valid_utf8(mask_secret("aé服👩服服服服服")));
}

TEST(Printable, LeavesTextAlone) {
  EXPECT_EQ(printable("plain \"text\" 服 👩"), "plain \"text\" 服 👩");
}

TEST(Printable, ShowsControlsAndInvalidBytes) {
  EXPECT_EQ(printable("a\r\n\t\x1b[31m\x7f"), "a\\x0D\\x0A\\x09\\x1B[31m\\x7F");
  EXPECT_EQ(printable("\xC2\x9B"), "\\xC2\\x9B");
  EXPECT_EQ(printable("\xFF\xE2\x82z"), "\\xFF\\xE2\\x82z");
  EXPECT_EQ(printable("\0"s), "\\x00");
}

TEST(Printable, NeverReordersOrBreaksALine) {
  // U+2028, U+2029 break lines in some viewers; U+202E and the isolates reorder what follows (Unicode TR 36 §2.10).
  EXPECT_EQ(printable("a\u2028b"), "a\\xE2\\x80\\xA8b");
  EXPECT_EQ(printable("a\u200Fb"), "a\\xE2\\x80\\x8Fb");
  EXPECT_EQ(printable("a\u202Eb"), "a\\xE2\\x80\\xAEb");
  EXPECT_EQ(printable("a\u2066b"), "a\\xE2\\x81\\xA6b");
}

TEST(Printable, CutsAtAWholeCharacter) {
  EXPECT_EQ(printable("abcdef", 3), "abc…");
  EXPECT_EQ(printable("abc", 3), "abc");
  EXPECT_EQ(printable("服务端", 4), "服…");
  EXPECT_EQ(printable("服务", 6), "服务");
  EXPECT_EQ(printable("abc", 0), "…");
}

TEST(TakeNumber, CutsWordsAndNumbersOffTheFront) {
  std::string_view text = "a 18446744073709551615 -1 x\nrest";
  std::string_view word;
  std::uint64_t number = 0;
  EXPECT_TRUE(take_word(text, ' ', word));
  EXPECT_EQ(word, "a");
  EXPECT_TRUE(take_number(text, ' ', number));
  EXPECT_EQ(number, 18446744073709551615U);
  EXPECT_FALSE(take_number(text, ' ', number));
  EXPECT_FALSE(take_number(text, '\n', number));
  EXPECT_EQ(text, "rest");
  EXPECT_FALSE(take_word(text, ' ', word));
  EXPECT_EQ(text, "rest");
}

TEST(ShownJson, EscapesWhatATerminalWouldActOn) {
  EXPECT_EQ(shown_json("{\n  \"a\": \"x\\u001b\xC3\xA9\xE2\x82\xAC\"\n}"),
            "{\n  \"a\": \"x\\u001b\xC3\xA9\xE2\x82\xAC\"\n}");
  EXPECT_EQ(shown_json("\"\x7F\xC2\x9B\xC2\x80\xC2\x9F\xC2\xA0\""), "\"\\u007F\\u009B\\u0080\\u009F\xC2\xA0\"");
  EXPECT_EQ(shown_json("\"\xE2\x80\xAE\xE2\x81\xA6\xE2\x81\xA9\xE2\x80\xA8\xE2\x80\x93\""),
            "\"\\u202E\\u2066\\u2069\\u2028\xE2\x80\x93\"");
  EXPECT_EQ(shown_json("\xF0\x9F\x98\x80\x7F"), "\xF0\x9F\x98\x80\\u007F");
}

TEST(WholeNumber, IsADecimalNumberAndNothingElse) {
  EXPECT_EQ(whole_number("0"), 0U);
  EXPECT_EQ(whole_number("18446744073709551615"), 18446744073709551615U);
  for (const char* other : {"", "-1", "+1", " 1", "1 ", "0x1", "18446744073709551616"})
    EXPECT_EQ(whole_number(other), std::nullopt) << other;
}

}  // namespace
}  // namespace sse
