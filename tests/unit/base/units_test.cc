#include "base/units.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace sse {
namespace {

using namespace std::chrono_literals;

TEST(Durations, AreReadWithUnits) {
  EXPECT_EQ(parse_duration("0"), 0ms);
  EXPECT_EQ(parse_duration("0s"), 0ms);
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("15s"), 15s);
  EXPECT_EQ(parse_duration("5m"), 5min);
  EXPECT_EQ(parse_duration("2h"), 2h);
  EXPECT_EQ(parse_duration("7d"), 168h);
  EXPECT_EQ(parse_duration("36525d"), 36525 * 24h);
}

TEST(Durations, RefuseWhatMakesNoSense) {
  for (const char* text : {"", "15", "s", "-1s", "+1s", "1.5s", "15 s", " 15s", "15s ", "15S", "15sec", "1h30m",
                           "36526d", "99999999999999999999s", "0x10s", "1e3s"}) {
    EXPECT_THROW(parse_duration(text), Error) << text;
  }
}

TEST(Durations, TheErrorNamesTheTextAndTheUnits) {
  try {
    parse_duration("soon");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_STREQ(error.what(), "'soon' is not a duration; write for example 250ms, 15s, 5m, 2h or 7d");
  }
}

TEST(Durations, PrintTheShortestFormThatReadsBack) {
  EXPECT_EQ(format_duration(0ms), "0");
  EXPECT_EQ(format_duration(15s), "15s");
  EXPECT_EQ(format_duration(90s), "90s");
  EXPECT_EQ(format_duration(1500ms), "1500ms");
  EXPECT_EQ(format_duration(120s), "2m");
  EXPECT_EQ(format_duration(168h), "7d");
  for (const auto duration : {0ms, 1ms, 999ms, 1000ms, 61'000ms, 3'600'000ms, 90'000'000ms}) {
    EXPECT_EQ(parse_duration(format_duration(duration)), duration);
  }
}

TEST(Durations, AgesAreForPeople) {
  EXPECT_EQ(format_age(-5s), "0ms");
  EXPECT_EQ(format_age(850ms), "850ms");
  EXPECT_EQ(format_age(1999ms), "1s");
  EXPECT_EQ(format_age(12min + 5s), "12m 5s");
  EXPECT_EQ(format_age(1h), "1h");
  EXPECT_EQ(format_age(1h + 5s), "1h");
  EXPECT_EQ(format_age(76h + 59min), "3d 4h");
}

TEST(Sizes, AreReadWithUnits) {
  EXPECT_EQ(parse_bytes("0"), ByteCount(0));
  EXPECT_EQ(parse_bytes("512"), ByteCount(512));
  EXPECT_EQ(parse_bytes("512B"), ByteCount(512));
  EXPECT_EQ(parse_bytes("64KiB"), kibibytes(64));
  EXPECT_EQ(parse_bytes("64K"), kibibytes(64));
  EXPECT_EQ(parse_bytes("1MiB"), mebibytes(1));
  EXPECT_EQ(parse_bytes("1MB"), ByteCount(1'000'000));
  EXPECT_EQ(parse_bytes("2GiB"), ByteCount(2ULL << 30));
  EXPECT_EQ(parse_bytes("1KB"), ByteCount(1000));
  EXPECT_EQ(parse_bytes("9223372036854775807"), ByteCount(9223372036854775807ULL));
}

TEST(Sizes, RefuseWhatMakesNoSense) {
  for (const char* text :
       {"", "KiB", "-1", "1.5MiB", "1 MiB", "1mib", "1TiB", "9223372036854775808", "8589934592GiB", "1MiBs"}) {
    EXPECT_THROW(parse_bytes(text), Error) << text;
  }
}

TEST(Sizes, PrintTheShortestFormThatReadsBack) {
  EXPECT_EQ(format_bytes(ByteCount(0)), "0");
  EXPECT_EQ(format_bytes(ByteCount(1500)), "1500");
  EXPECT_EQ(format_bytes(kibibytes(1536)), "1536KiB");
  EXPECT_EQ(format_bytes(mebibytes(1)), "1MiB");
  EXPECT_EQ(format_bytes(mebibytes(2048)), "2GiB");
}

TEST(Times, AreRfc3339InUtc) {
  EXPECT_EQ(format_time(from_millis(0)), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format_time(from_millis(1709294400007)), "2024-03-01T12:00:00.007Z");
  EXPECT_EQ(format_time(from_millis(-1)), "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace sse
