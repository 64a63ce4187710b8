#include "event/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/text.h"

namespace sse::event {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;
using testing::StartsWith;
using Names = std::vector<std::string>;

Target read_target(std::string_view text) {
  return target_from_json(parse_json(text, "the body"));
}

template <class Function>
std::string refusal(Function function) {
  try {
    function();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "accepted";
}

TEST(ParseJson, RefusesWhatIsNoJsonInOnePrintableSentence) {
  for (const std::string& text :
       {""s, " "s, "{"s, "{\"a\":}"s, "nul"s, "[1,]"s, "{} x"s, "'a'"s, "{\"a\":1,}"s, "\"\xFF\""s, "\"\xED\xA0\x80\""s,
        "\"\\ud800\""s, "\"\\udc00\""s, "\"a\nb\""s, "\"\0\""s, "01"s, "NaN"s, "// c\n1"s, "\x1b[31m"s}) {
    const std::string sentence = refusal([&] { parse_json(text, "the body"); });
    EXPECT_THAT(sentence, StartsWith("the body is not valid JSON: ")) << printable(text);
    EXPECT_EQ(sentence, printable(sentence, 1000));
  }
}

TEST(ParseJson, SaysWhere) {
  EXPECT_THAT(refusal([] { parse_json("{\"a\" 1}", "the body"); }), HasSubstr("line 1, column 6"));
}

TEST(ParseJson, ANumberTooBigForADoubleIsTheCallersFault) {
  EXPECT_EQ(refusal([] { parse_json("{\"ttl\":1e999}", "the body"); }),
            "the body is not valid JSON: number overflow parsing '1e999'");
}

TEST(ParseJson, NestingIsLimitedBeforeAnythingRecurses) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_NO_THROW(parse_json(nested(64), "x"));
  EXPECT_EQ(refusal([&] { parse_json(nested(65), "x"); }), "x is nested deeper than 64 levels");
  EXPECT_EQ(refusal([] { parse_json(std::string(1'000'000, '['), "x"); }), "x is nested deeper than 64 levels");
  EXPECT_EQ(refusal([] {
              std::string text;
              for (int i = 0; i < 100'000; ++i) text += "{\"a\":";
              parse_json(text, "x");
            }),
            "x is nested deeper than 64 levels");
  EXPECT_NO_THROW(parse_json("\"" + std::string(100, '[') + "\"", "x"));
  EXPECT_NO_THROW(parse_json("[\"\\\"" + std::string(100, '{') + "\"]", "x"));
}

TEST(DumpJson, ReplacesInvalidUtf8) {
  EXPECT_EQ(dump_json(Json{{"a", "x\xFF"}}), "{\"a\":\"x\xEF\xBF\xBD\"}");
  EXPECT_EQ(dump_json(Json{{"a", "服"}}), "{\"a\":\"服\"}");
}

TEST(TargetJson, ReadsBackWhatItWrites) {
  for (const Target& target : {Target::all(), Target::user(UserId("1")), Target{TargetKind::kToken, {"a", "b"}, true},
                               Target{TargetKind::kTenant, {"t"}, false}, Target{TargetKind::kChannel, {"c"}, true},
                               Target{TargetKind::kAll, {}, true}}) {
    const Target back = target_from_json(parse_json(dump_json(to_json(target)), "target"));
    EXPECT_EQ(back.kind, target.kind);
    EXPECT_EQ(back.names, target.names);
    EXPECT_EQ(back.listening, target.listening);
  }
}

TEST(TargetJson, TakesUsersWithATenantForMembers) {
  const Target target = read_target(R"({"users":["bob",7],"tenant":"acme","listening":true})");
  EXPECT_EQ(target.kind, TargetKind::kMember);
  EXPECT_EQ(target.names, (Names{member_name("bob", "acme"), member_name("7", "acme")}));
  EXPECT_EQ(to_json(target), parse_json(R"({"users":["bob","7"],"tenant":"acme","listening":true})", "target"));
  EXPECT_EQ(read_target(R"({"users":["bob"],"tenant":null})").kind, TargetKind::kUser);
  for (const char* text :
       {R"({"tokens":["c"],"tenant":"acme"})", R"({"tenant":"acme"})", R"({"users":["bob"],"tenant":""})",
        R"({"users":["bob"],"tenant":["acme"]})", R"({"users":[""],"tenant":"acme"})", R"({"members":["3:bobacme"]})"})
    EXPECT_NE(refusal([&] { read_target(text); }), "accepted") << text;
}

TEST(TargetJson, TakesNumbersAsNames) {
  EXPECT_EQ(read_target(R"({"users":[1,"2",-3,18446744073709551615]})").names,
            (Names{"1", "2", "-3", "18446744073709551615"}));
}

TEST(TargetJson, IsNormalized) {
  EXPECT_EQ(read_target(R"({"users":["1",1,"2"]})").names, (Names{"1", "2"}));
}

TEST(TargetJson, NullsAreAbsent) {
  const Target target = read_target(R"({"users":["1"],"tokens":null,"all":null,"listening":null})");
  EXPECT_EQ(target.kind, TargetKind::kUser);
  EXPECT_FALSE(target.listening);
}

TEST(TargetJson, FalseAllIsNoKind) {
  EXPECT_EQ(read_target(R"({"all":false,"channels":["c"]})").kind, TargetKind::kChannel);
}

TEST(TargetJson, RefusesBadInput) {
  for (const char* text : {"{}",
                           "[]",
                           "null",
                           "\"all\"",
                           "1",
                           R"({"all":false})",
                           R"({"all":"yes"})",
                           R"({"all":1})",
                           R"({"users":"1"})",
                           R"({"users":[]})",
                           R"({"users":[""]})",
                           R"({"users":[1.5]})",
                           R"({"users":[null]})",
                           R"({"users":[["1"]]})",
                           R"({"users":[{}]})",
                           R"({"users":{"0":"1"}})",
                           R"({"users":[true]})",
                           R"({"users":["1"],"tokens":["2"]})",
                           R"({"users":["1"],"all":true})",
                           R"({"user":["1"]})",
                           R"({"users":["1"],"extra":1})",
                           R"({"users":["1"],"listening":"yes"})",
                           R"({"listening":true})"}) {
    EXPECT_NE(refusal([&] { read_target(text); }), "accepted") << text;
  }
}

TEST(TargetJson, SaysWhatIsMissing) {
  EXPECT_EQ(refusal([] { read_target("{}"); }),
            "the target is empty; give at least one of users, tenants, tokens, channels, connections or all");
  EXPECT_EQ(refusal([] { read_target(R"({"users":["1"],"tokens":["2"]})"); }),
            "the target has several kinds; give exactly one of users, tenants, tokens, channels, connections or all");
  EXPECT_EQ(refusal([] { read_target(R"({"user":["1"]})"); }),
            "unknown field 'user' in target; known fields are users, tenant, tokens, tenants, channels, connections, "
            "all, listening");
}

TEST(TargetJson, NamesConnectionsByTextOrNumber) {
  const Target target = read_target(R"({"connections":["1234567890123456789",7]})");
  EXPECT_EQ(target.kind, TargetKind::kConnection);
  EXPECT_EQ(target.names, (Names{"1234567890123456789", "7"}));
  EXPECT_EQ(dump_json(to_json(target)), R"({"connections":["1234567890123456789","7"]})");
}

TEST(TargetJson, NamesTheTenantWhoseStreamsAChannelReaches) {
  const Target target = read_target(R"({"channels":["a","b"],"tenant":"acme"})");
  EXPECT_EQ(target.kind, TargetKind::kChannel);
  EXPECT_EQ(target.of_tenant, "acme");
  EXPECT_EQ(dump_json(to_json(target)), R"({"channels":["a","b"],"tenant":"acme"})");
  EXPECT_NE(refusal([] { read_target(R"({"tokens":["a"],"tenant":"acme"})"); }).find("requires users or channels"),
            std::string::npos);
  EXPECT_NE(refusal([] { read_target(R"({"channels":["a"],"tenant":""})"); }).find("requires users or channels"),
            std::string::npos);
}

TEST(TargetJson, HasTheTargetsOfAUnionInOneObject) {
  const std::string text = R"({"channels":["c"],"listening":true,"tenant":"acme","tokens":["t"],"users":["1","2"]})";
  std::vector<Target> targets = targets_from_json(parse_json(text, "the target"));
  ASSERT_EQ(targets.size(), 3U);
  EXPECT_EQ(targets[0].kind, TargetKind::kMember);
  EXPECT_EQ(targets[1].kind, TargetKind::kToken);
  EXPECT_EQ(targets[2].of_tenant, "acme");
  for (const Target& target : targets) EXPECT_TRUE(target.listening);
  const Target first = targets.front();
  targets.erase(targets.begin());
  EXPECT_EQ(dump_json(to_json(first, targets)), text);
}

TEST(Fields, FallBackWhenAbsentOrNull) {
  const Json json = parse_json(R"({"s":"x","b":true,"n":null})", "x");
  EXPECT_EQ(string_field(json, "s"), "x");
  EXPECT_EQ(string_field(json, "n", "d"), "d");
  EXPECT_EQ(string_field(json, "absent", "d"), "d");
  EXPECT_TRUE(bool_field(json, "b"));
  EXPECT_TRUE(bool_field(json, "n", true));
  EXPECT_FALSE(bool_field(json, "absent"));
  EXPECT_EQ(refusal([&] { string_field(json, "b"); }), "field 'b' must be a string");
  EXPECT_EQ(refusal([&] { bool_field(json, "s"); }), "field 's' must be true or false");
}

TEST(Fields, IdsAreStringsOrNumbers) {
  const Json json = parse_json(
      R"({"s":"847140540416","n":847140540416,"neg":-1,"f":1.5,"big":18446744073709551615,"text":"x","null":null,"o":{}})",
      "x");
  EXPECT_EQ(id_field(json, "s"), 847140540416U);
  EXPECT_EQ(id_field(json, "n"), 847140540416U);
  for (const char* name : {"neg", "f", "big", "text", "null", "o", "absent"})
    EXPECT_EQ(id_field(json, name), 0U) << name;
}

TEST(Fields, ADocumentThatIsNoObjectHasNone) {
  const Json list = parse_json("[1]", "x");
  EXPECT_EQ(string_field(list, "a", "d"), "d");
  EXPECT_FALSE(bool_field(list, "a"));
  EXPECT_EQ(id_field(list, "a"), 0U);
}

TEST(RequireFields, NamesTheUnknownOnePrintably) {
  EXPECT_EQ(refusal([] {
              require_fields(Json{{"a\n", 1}}, {"b"}, "the body");
            }),
            "unknown field 'a\\x0A' in the body; known fields are b");
  EXPECT_EQ(refusal([] { require_fields(Json::array(), {"b"}, "the body"); }), "the body must be a JSON object");
}

}  // namespace
}  // namespace sse::event
