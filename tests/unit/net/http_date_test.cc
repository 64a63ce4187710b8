#include "net/http_date.h"

#include <gtest/gtest.h>

namespace sse::net {
namespace {

// RFC 9110 §5.6.7's own example.
constexpr std::int64_t kExample = 784'111'777'000;
const WallTime kNow = from_millis(1'700'000'000'000);

TEST(HttpDate, WritesTheFormOfTheStandard) {
  EXPECT_EQ(http_date(from_millis(kExample)), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(http_date(from_millis(kExample + 999)), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(http_date(from_millis(0)), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(http_date(from_millis(1'709'164'800'000)), "Thu, 29 Feb 2024 00:00:00 GMT");
}

TEST(HttpDate, ReadsAllThreeForms) {
  for (const char* text :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"})
    EXPECT_EQ(parse_http_date(text, kNow), from_millis(kExample)) << text;
  EXPECT_EQ(parse_http_date("Sun Nov 16 08:49:37 1994", kNow), from_millis(kExample + 10LL * 86'400'000));
}

TEST(HttpDate, TakesATwoDigitYearFarAheadForThePast) {
  EXPECT_EQ(parse_http_date("Monday, 01-Jan-73 00:00:00 GMT", kNow),
            parse_http_date("Mon, 01 Jan 2073 00:00:00 GMT", kNow));
  EXPECT_EQ(parse_http_date("Tuesday, 01-Jan-74 00:00:00 GMT", kNow),
            parse_http_date("Tue, 01 Jan 1974 00:00:00 GMT", kNow));
}

TEST(HttpDate, RefusesWhatIsNone) {
  for (const char* text :
       {"", "0", "now", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, -6 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-1994 08:49:37 GMT", "1994-11-06T08:49:37Z",
        "Sun, 06 nov 1994 08:49:37 GMT"})
    EXPECT_EQ(parse_http_date(text, kNow), std::nullopt) << text;
}

TEST(HttpDate, GivesALineForAHead) {
  const std::string line(date_line(wall_now()));
  ASSERT_TRUE(line.starts_with("Date: ") && line.ends_with(" GMT\r\n")) << line;
  const auto said = parse_http_date(line.substr(6, line.size() - 8), wall_now());
  ASSERT_TRUE(said);
  EXPECT_LT(wall_now() - *said, std::chrono::seconds(5));
}

}  // namespace
}  // namespace sse::net
