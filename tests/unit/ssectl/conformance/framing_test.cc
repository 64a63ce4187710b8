#include "ssectl/conformance/framing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace sse::ctl {
namespace {

using ::testing::HasSubstr;

TEST(Framing, AcceptsWhatBrowsersRead) {
  for (const char* stream : {"", "data: x\n\n", "data:x\r\ndata\r\n\r\n", "id: 1\rdata: x\r\r", ": comment\n\n",
                             "retry: 5000\n\n", "id\ndata: x\n\n",
                             "\xEF\xBB\xBF"
                             "data: x\n\n",
                             "event: a\ndata:\n\n", "data: \xE4\xB8\xAD\n\n", "data: : x: y\n\n"})
    EXPECT_EQ(framing_error(stream), "") << stream;
}

TEST(Framing, TheLastLineMayBeIncomplete) {
  EXPECT_EQ(framing_error("data: x\n\nnonse"), "");
  EXPECT_EQ(framing_error("data: x\r"), "");
  EXPECT_EQ(framing_error("event: a\n"), "");
}

TEST(Framing, SaysWhatBrowsersIgnore) {
  EXPECT_THAT(framing_error("data: x\nsecond line\n\n"), HasSubstr("no field is called 'second line'"));
  EXPECT_THAT(framing_error("Data: x\n\n"), HasSubstr("no field is called 'Data'"));
  EXPECT_THAT(framing_error(" data: x\n\n"), HasSubstr("no field is called ' data'"));
  EXPECT_THAT(framing_error("retry: 5s\n\n"), HasSubstr("retry is '5s'"));
  EXPECT_THAT(framing_error("retry:\n\n"), HasSubstr("retry is ''"));
  EXPECT_THAT(framing_error("event: a\n\n"), HasSubstr("an event has a name but no data"));
  EXPECT_THAT(framing_error("data: \xFF\n\n"), HasSubstr("is not UTF-8"));
  EXPECT_THAT(framing_error(std::string("id: a\0b\ndata: x\n\n", 17)), HasSubstr("an id has a NUL"));
}

TEST(Framing, AByteOrderMarkIsOneOnlyAtTheBeginning) {
  EXPECT_THAT(framing_error("data: x\n\n\xEF\xBB\xBF"
                            "data: y\n\n"),
              HasSubstr("no field is called"));
}

}  // namespace
}  // namespace sse::ctl
