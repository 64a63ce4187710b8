#include "event/json_value.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "event/json.h"

namespace sse::event {
namespace {

template <class Use>
std::string refusal(Use use) {
  try {
    use();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(JsonValue, MakesAnObjectOfNamedPairsAndAnArrayOfAnythingElse) {
  EXPECT_EQ((Json{{"b", 1}, {"a", {1, "x", nullptr}}}).dump(), R"({"a":[1,"x",null],"b":1})");
  EXPECT_EQ((Json{{"a", "b", "c"}}).dump(), R"([["a","b","c"]])");
  EXPECT_EQ((Json{1, true, -2.5}).dump(), "[1,true,-2.5]");
  EXPECT_EQ(Json::object({{"a", 1}}).dump(), R"({"a":1})");
  EXPECT_EQ(Json::array({Json::array({"a", 1})}).dump(), R"([["a",1]])");
  EXPECT_EQ(Json(std::vector<std::string>{"x", "y"}).dump(), R"(["x","y"])");
  EXPECT_EQ(Json(std::map<std::string, int>{{"x", 1}}).dump(), R"({"x":1})");
}

TEST(JsonValue, WritesWhatItParsed) {
  for (const char* text : {R"({"a":[],"b":{},"c":"","d":null})", "[1,-1,18446744073709551615,-9223372036854775808]",
                           R"(["\u0000\n\"\\",""])", "1.5", "[0.1,1e+300,1.0]", "true", "\"\xC3\xA9\""}) {
    EXPECT_EQ(Json::parse(text).dump(), text);
  }
  EXPECT_EQ(Json("\xFFx").dump(), "\"\xEF\xBF\xBDx\"");
  EXPECT_EQ(Json::parse(R"({"a":1,"a":2})").dump(), R"({"a":2})");
  EXPECT_EQ((Json{{"a", {1}}, {"b", Json::object()}}).dump(2), "{\n  \"a\": [\n    1\n  ],\n  \"b\": {}\n}");
}

TEST(JsonValue, RefusesWhatIsNoJson) {
  EXPECT_TRUE(refusal([] { parse_json("{", "the body"); }).starts_with("the body is not valid JSON: at line 1"));
  EXPECT_NE(refusal([] { parse_json("1e999", "x"); }).find("overflow"), std::string::npos);
  EXPECT_NE(refusal([] { parse_json("[1] 2", "x"); }), "");
  EXPECT_EQ(refusal([] { parse_json(std::string(65, '['), "x"); }), "x is nested deeper than 64 levels");
  EXPECT_EQ(parse_json(std::string(64, '[') + std::string(64, ']'), "x").size(), 1U);
  EXPECT_EQ(refusal([] { parse_json(std::string(1'000'000, '['), "x"); }), "x is nested deeper than 64 levels");
  EXPECT_TRUE(parse_json_or_null("{\"a\"").is_null());
}

TEST(JsonValue, ThrowsAnErrorForATypeItDoesNotHold) {
  const Json list = Json::parse(R"({"list":[1,2]})")["list"];
  EXPECT_NE(refusal([&] { list.at("id"); }), "");
  EXPECT_NE(refusal([&] { list[0U].at("id"); }), "");
  EXPECT_NE(refusal([&] { list[2U].size(); }), "");
  EXPECT_NE(refusal([&] { static_cast<void>(list["id"]); }), "");
  EXPECT_NE(refusal([&] { list.value("id", 1); }), "");
  EXPECT_NE(refusal([&] { list[0].get<std::string>(); }), "");
  EXPECT_NE(refusal([&] { Json("1").get<int>(); }), "");
  EXPECT_NE(refusal([&] { Json(1).get<bool>(); }), "");
  EXPECT_NE(refusal([&] { Json("x")["a"] = 1; }), "");
  EXPECT_NE(refusal([&] { Json("x").push_back(1); }), "");
  EXPECT_FALSE(list.contains("id"));
  EXPECT_EQ(list.find("id"), list.end());
}

TEST(JsonValue, GivesANumberOnlyWhereItFits) {
  EXPECT_EQ(Json(255).get<unsigned char>(), 255);
  EXPECT_NE(refusal([] { Json(256).get<unsigned char>(); }), "");
  EXPECT_NE(refusal([] { Json(-1).get<std::uint64_t>(); }), "");
  EXPECT_NE(refusal([] { Json(std::numeric_limits<std::uint64_t>::max()).get<std::int64_t>(); }), "");
  EXPECT_NE(refusal([] { Json(1e300).get<int>(); }), "");
  EXPECT_EQ(Json(2.0).get<int>(), 2);
  EXPECT_EQ(Json(7U).get<double>(), 7.0);
  EXPECT_EQ(Json(1), Json(1U));
  EXPECT_EQ(Json(1), Json(1.0));
  EXPECT_NE(Json(-1), Json(std::numeric_limits<std::uint64_t>::max()));
}

TEST(JsonValue, FindsChangesAndRemovesMembersAndElements) {
  Json json;
  json["b"]["c"] = {{"d", 1}};
  json["a"].push_back("x");
  json["a"].push_back("y");
  EXPECT_EQ(json.dump(), R"({"a":["x","y"],"b":{"c":{"d":1}}})");
  EXPECT_EQ(json.value("none", "fallback"), "fallback");
  EXPECT_TRUE(std::as_const(json)["none"].is_null());
  EXPECT_EQ(json.find("a")->size(), 2U);
  std::string names;
  for (const auto& [name, value] : json.items()) names += name + std::to_string(value.size());
  EXPECT_EQ(names, "a2b1");
  json["a"].erase(json["a"].begin());
  EXPECT_EQ(json["a"].back(), "y");
  json.update({{"b", nullptr}, {"z", 1}});
  EXPECT_EQ(json.erase("a"), 1U);
  EXPECT_EQ(json.erase("a"), 0U);
  EXPECT_EQ(json.dump(), R"({"b":null,"z":1})");
  Json copy = json;
  copy["z"] = 2;
  EXPECT_EQ(json["z"], 1);
  EXPECT_LT(json, copy);
}

TEST(JsonValue, KeepsTheOrderOfFieldsThatAreWrittenOut) {
  EXPECT_EQ(dump_fields({{"z", 1}, {"a", "\n"}}), R"({"z":1,"a":"\n"})");
  EXPECT_EQ(dump_fields({}), "{}");
}

}  // namespace
}  // namespace sse::event
