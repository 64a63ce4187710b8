#include "base/trace_context.h"

#include <gtest/gtest.h>

#include <string>

namespace sse {
namespace {

constexpr const char* kExample = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(TraceContext, ReadsAndWritesTheExampleOfTheStandard) {
  const auto context = parse_traceparent(kExample);
  ASSERT_TRUE(context);
  EXPECT_EQ(context->trace_id[0], 0x0a);
  EXPECT_EQ(context->trace_id[15], 0x9c);
  EXPECT_EQ(context->parent_id[0], 0xb7);
  EXPECT_EQ(context->parent_id[7], 0x31);
  EXPECT_TRUE(context->sampled);
  EXPECT_EQ(traceparent_text(*context), kExample);
}

TEST(TraceContext, IgnoresWhatTheStandardCallsInvalid) {
  const std::string good = kExample;
  for (const std::string& bad :
       {std::string(), std::string("00"), good.substr(0, 54), good + "-", good + "-what", good + "0", " " + good,
        good + " ", good + "," + good, std::string("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        std::string("0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        std::string("00-00000000000000000000000000000000-b7ad6b7169203331-01"),
        std::string("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"),
        std::string("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"),
        std::string("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g"),
        std::string("00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01"),
        std::string("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01what"),
        std::string("00-0af7651916cd43dd8448eb211c8031\0c-b7ad6b7169203331-01", 55)}) {
    EXPECT_FALSE(parse_traceparent(bad)) << bad;
  }
}

TEST(TraceContext, OfALaterVersionUsesWhatItKnows) {
  const auto context = parse_traceparent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-what-it-will-be");
  ASSERT_TRUE(context);
  EXPECT_EQ(traceparent_text(*context), kExample);
  EXPECT_TRUE(parse_traceparent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
}

TEST(TraceContext, PassesNoUnknownFlagsOn) {
  const auto context = parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-fe");
  ASSERT_TRUE(context);
  EXPECT_FALSE(context->sampled);
  EXPECT_EQ(traceparent_text(*context), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
}

TEST(TraceContext, TheStateIsPassedOnWithAValidParentOnlyAndBounded) {
  EXPECT_EQ(checked_trace_headers(kExample, "a=1,b=2").tracestate, "a=1,b=2");
  EXPECT_EQ(checked_trace_headers(kExample, "a=1,b=2").traceparent, kExample);
  EXPECT_EQ(checked_trace_headers("00-x", "a=1").tracestate, "");
  EXPECT_EQ(checked_trace_headers("00-x", "a=1").traceparent, "");
  EXPECT_EQ(checked_trace_headers(kExample, std::string(512, 'a')).tracestate.size(), 512U);
  EXPECT_EQ(checked_trace_headers(kExample, std::string(513, 'a')).tracestate, "");
  EXPECT_EQ(checked_trace_headers(kExample, "a=1\r\nX: y").tracestate, "");
}

}  // namespace
}  // namespace sse
