#include "hub/attributes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace sse::hub {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(Attributes, UnpacksWhatItPacked) {
  Attributes in;
  in.query = "a=b&c=%20";
  in.address = "::1";
  in.user_agent = "agent 12:3";
  in.host = std::string("\0:5:", 4);
  in.profile = R"({"name":"服务端"})";
  const Attributes out = Attributes::unpack(in.pack());
  EXPECT_EQ(out.query, in.query);
  EXPECT_EQ(out.address, in.address);
  EXPECT_EQ(out.user_agent, in.user_agent);
  EXPECT_EQ(out.host, in.host);
  EXPECT_EQ(out.origin, "");
  EXPECT_EQ(out.profile, in.profile);
}

TEST(Attributes, UnpacksEmptyOnes) {
  EXPECT_EQ(Attributes::unpack(Attributes{}.pack()).query, "");
  EXPECT_EQ(Attributes::unpack("").query, "");
}

TEST(FormValue, FindsTheFirstDecodedValue) {
  EXPECT_EQ(form_value("a=1&b=2&a=3", "a"), "1");
  EXPECT_EQ(form_value("x=%E6%9C%8D+y", "x"), "服 y");
  EXPECT_EQ(form_value("%61=1", "a"), "1");
  EXPECT_EQ(form_value("a=b=c", "a"), "b=c");
  EXPECT_EQ(form_value("a&b=", "a"), "");
  EXPECT_EQ(form_value("&&a=1&", "a"), "1");
  EXPECT_EQ(form_value("ab=1", "a"), "");
  EXPECT_EQ(form_value("", "a"), "");
}

TEST(FormValues, KeepsTheFirstOfDoubledNames) {
  EXPECT_THAT(form_values("b=2&a=1&b=3&c&%64=%2B"),
              ElementsAre(Pair("a", "1"), Pair("b", "2"), Pair("c", ""), Pair("d", "+")));
}

}  // namespace
}  // namespace sse::hub
