#include "ssectl/commands/send_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace sse::ctl {
namespace {

using api::Json;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Json line(const std::string& text, const Json& defaults) {
  return Json::parse(bulk_line(text, {defaults}));
}

TEST(BulkLineTest, TakesTheCommandLineForWhatALineDoesNotSay) {
  const Json defaults{{"target", {{"users", {"1"}}}}, {"event", "note"}, {"qos", true}, {"ttl", "1h"}};
  EXPECT_EQ(line(R"({"data":"x"})", defaults),
            Json({{"target", {{"users", {"1"}}}}, {"event", "note"}, {"qos", true}, {"ttl", "1h"}, {"data", "x"}}));
  EXPECT_EQ(line(R"({"target":{"all":true},"event":"e","qos":false,"data":{"a":1}})", defaults),
            Json({{"target", {{"all", true}}}, {"event", "e"}, {"qos", false}, {"data", {{"a", 1}}}}));
}

TEST(BulkLineTest, RefusesWhatTheServerWouldRefuse) {
  for (const std::string text : {"nonsense", "[1]", "{}", R"({"target":{"users":[]}})",
                                 R"({"target":{"all":true},"x":1})", R"({"target":{"all":true},"ttl":"1h"})"}) {
    EXPECT_THROW(line(text, Json::object()), Error) << text;
  }
  EXPECT_THAT([] { line("{", Json::object()); }, ThrowsMessage<Error>(HasSubstr("the line is not valid JSON")));
}

}  // namespace
}  // namespace sse::ctl
