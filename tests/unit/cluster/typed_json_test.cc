#include "cluster/core/typed_json.h"

#include <gtest/gtest.h>

namespace sse::cluster {
namespace {

using event::Json;

TEST(TypedJson, TakesAFieldOfAnotherTypeForAnAbsentOne) {
  const Json json = event::parse_json(
      R"({"text":7,"count":"many","number":18446744073709551615,"flag":1,"list":[1,2],"half":1.5})", "it");
  EXPECT_EQ(text_in(json, "text"), "");
  EXPECT_EQ(count_in(json, "count", 3), 3U);
  EXPECT_EQ(number_in(json, "number", -1), -1);
  EXPECT_EQ(number_in(json, "half", -1), -1);
  EXPECT_FALSE(flag_in(json, "flag"));
  for (const char* other : {"[1,2]", "7", "null", "\"text\""}) {
    const Json none = event::parse_json(other, "it");
    EXPECT_EQ(text_in(none, "text"), "");
    EXPECT_EQ(count_in(none, "count", 3), 3U);
    EXPECT_TRUE(flag_in(none, "flag", true));
  }
}

TEST(TypedJson, ReadsNoMoreThanItMayAndNothingDeep) {
  EXPECT_TRUE(read_json("[1]", 3));
  EXPECT_FALSE(read_json("[11]", 3));
  EXPECT_FALSE(read_json("[1", 10));
  EXPECT_FALSE(read_json(std::string(100'000, '['), 1'000'000));
}

TEST(TypedJson, LeavesOutOfFactsWhatIsNone) {
  const Json facts = read_facts(
      R"({"state":["ready"],"version":"1","connections":"x","users":3,"new":true,"deep":{"a":1},"pid":1.5})");
  EXPECT_EQ(facts, (Json{{"version", "1"}, {"users", 3}, {"new", true}}));
  EXPECT_EQ(read_facts("[1,2]"), Json::object());
  EXPECT_EQ(read_facts("no"), Json::object());
}

}  // namespace
}  // namespace sse::cluster
