#include "auth/channel_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "auth/channel_rules.h"
#include "event/json.h"
#include "support/errors.h"

namespace sse::auth {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

Identity user(const std::string& id, const std::string& tenant = "") {
  return {UserId(id), TenantId(tenant), AccessToken()};
}

bool matches(const std::string& pattern, const std::string& name, const Identity& who = user("ann", "acme")) {
  return ChannelPattern::parse(pattern).matches(name, who);
}

TEST(ChannelPattern, MatchesANameOneSegmentOrTheRest) {
  EXPECT_TRUE(matches("news", "news"));
  EXPECT_FALSE(matches("news", "news.today"));
  EXPECT_FALSE(matches("news", "new"));
  EXPECT_TRUE(matches("team.*", "team.7"));
  EXPECT_FALSE(matches("team.*", "team.7.chat"));
  EXPECT_FALSE(matches("team.*", "team."));
  EXPECT_FALSE(matches("team.*", "team"));
  EXPECT_TRUE(matches("team.*.chat", "team.7.chat"));
  EXPECT_FALSE(matches("team.*.chat", "team.7.8.chat"));
  EXPECT_TRUE(matches("team.**", "team.7"));
  EXPECT_TRUE(matches("team.**", "team.7.chat"));
  EXPECT_TRUE(matches("team.**", "team..chat"));
  EXPECT_FALSE(matches("team.**", "team"));
  EXPECT_FALSE(matches("team.**", "team."));
  EXPECT_FALSE(matches("team.**", "teams.7"));
}

TEST(ChannelPattern, OneStarAloneIsEveryName) {
  for (const std::string all : {"*", "**"}) {
    for (const std::string name : {"a", "a.b", ".", "..", "a\nb", "*", "{user}", "/etc/passwd", "a,b"})
      EXPECT_TRUE(matches(all, name)) << all << " " << name;
    EXPECT_FALSE(matches(all, ""));
  }
}

TEST(ChannelPattern, InsertsTheIdsOfTheUserEncodedAndLiterally) {
  EXPECT_TRUE(matches("user.{user}.*", "user.ann.inbox"));
  EXPECT_FALSE(matches("user.{user}.*", "user.bob.inbox"));
  EXPECT_TRUE(matches("{tenant}.{user}", "acme.ann"));
  EXPECT_FALSE(matches("{tenant}.{user}", "ann.acme"));
  for (const std::string id : {"*", "**", "a.b", "{tenant}", "{user}", "%2E", "%", "ü.*", "a\nb", "."}) {
    EXPECT_TRUE(matches("user.{user}.*", "user." + encode_segment(id) + ".inbox", user(id, "acme"))) << id;
    EXPECT_FALSE(matches("user.{user}.*", "user.acme.inbox", user(id, "acme"))) << id;
    EXPECT_FALSE(matches("user.{user}.*", "user.bob.inbox", user(id, "acme"))) << id;
  }
  EXPECT_EQ(encode_segment("a.b*{c}%"), "a%2Eb%2A%7Bc%7D%25");
  EXPECT_FALSE(matches("user.{user}", "user.a%2eb", user("a.b"))) << "one spelling";
}

TEST(ChannelPattern, NeverGivesAUserWhatBelongsToAnother) {
  const std::vector<std::string> ids{"x", "x.y", "x%2Ey", "x%252Ey", "*", "%2A", "y", "x.y.z", "{user}", ""};
  for (const std::string& owner : ids) {
    for (const std::string& other : ids) {
      for (const std::string rest : {".inbox", ".**"}) {
        const std::string name = "user." + encode_segment(owner) + ".inbox";
        const std::string pattern = "user.{user}" + rest;
        EXPECT_EQ(matches(pattern, name, user(other)), owner == other && !owner.empty()) << owner << " " << other;
      }
    }
  }
}

TEST(ChannelPattern, AUserWithoutATenantIsInNone) {
  for (const std::string name : {"tenant.", "tenant..a", "tenant.acme"}) {
    EXPECT_FALSE(matches("tenant.{tenant}", name, user("ann")));
    EXPECT_FALSE(matches("tenant.{tenant}.**", name, user("ann")));
  }
}

TEST(ChannelPattern, RefusesWhatIsNoneAndSaysWhy) {
  const std::vector<std::pair<std::string, std::string>> bad{
      {"", "empty"},          {"a*", "stand alone"},      {"*a", "stand alone"},    {"***", "stand alone"},
      {"**.a", "may follow"}, {"a.**.b", "may follow"},   {"{user", "stand alone"}, {"{User}", "stand alone"},
      {"a}", "stand alone"},  {"x{user}", "stand alone"}, {"{}", "stand alone"},    {"{user}{tenant}", "stand alone"},
      {"\xff", "UTF-8"},      {"a.**.**", "may follow"}};
  for (const auto& [text, why] : bad)
    EXPECT_THAT(error_of([&text = text] { ChannelPattern::parse(text); }).what(), HasSubstr(why)) << text;
  EXPECT_THAT(error_of([] { ChannelPattern::parse(std::string(10'000, 'a')); }).what(), HasSubstr("1024 bytes"));
  EXPECT_LT(std::string(error_of([] { ChannelPattern::parse(std::string(10'000, '*')); }).what()).size(), 300U);
}

// With an algorithm that goes back, time would double with every star.
TEST(ChannelPattern, ReadsPatternAndNameOnce) {
  std::string pattern = "*";
  std::string name = "a";
  while (pattern.size() + 2 <= ChannelPattern::kMaxBytes) {
    pattern += ".*";
    name += ".a";
  }
  EXPECT_TRUE(matches(pattern, name));
  EXPECT_FALSE(matches(pattern, name + ".a"));
  EXPECT_FALSE(matches(pattern, std::string(1'000'000, '.')));
  EXPECT_FALSE(matches("{user}", std::string(1'000'000, '%'), user(std::string(1000, '%'))));
}

TEST(UserChannels, AreAListOfNamesAndPatterns) {
  using event::Json;
  EXPECT_EQ(user_channels_in({"news", "team.*"}), (std::vector<std::string>{"news", "team.*"}));
  EXPECT_TRUE(user_channels_in(nullptr).empty());
  EXPECT_TRUE(user_channels_in(Json::array()).empty());
  for (const Json& none : {Json("news"), Json("news team.*"), Json(7), Json(true), Json{{"news", true}}})
    EXPECT_THAT(error_of([&] { user_channels_in(none); }).what(), HasSubstr("is not a list of channel names"));
  EXPECT_THAT(error_of([] { user_channels_in(Json::array({"news", 7})); }).what(), HasSubstr("lists 7, which is not"));
  EXPECT_THAT(error_of([] { user_channels_in(Json::array({"a*"})); }).what(), HasSubstr("'a*' is no pattern"));
  EXPECT_THAT(error_of([] { user_channels_in(std::vector<std::string>(1001, "a")); }).what(), HasSubstr("1000"));
  EXPECT_THAT(error_of([] { user_channels_in(std::vector<std::string>(17, std::string(1024, 'a'))); }).what(),
              HasSubstr("16384 bytes"));
}

TEST(ChannelRules, TheFirstThatMatchesDecides) {
  const ChannelRules rules =
      ChannelRules::parse({"public.*=anyone", "user.{user}.*=self", "team.*=hook", "a=b=anyone", "**=hook"});
  const auto found = [&](const std::string& name) { return rules.find(name, user("ann"))->text; };
  EXPECT_EQ(found("public.news"), "public.*=anyone");
  EXPECT_EQ(found("user.ann.inbox"), "user.{user}.*=self");
  EXPECT_EQ(found("user.bob.inbox"), "**=hook");
  EXPECT_EQ(found("team.7"), "team.*=hook");
  EXPECT_EQ(found("a=b"), "a=b=anyone");
  EXPECT_EQ(rules.first(ChannelRule::Who::kHook)->text, "team.*=hook");
  EXPECT_EQ(ChannelRules::parse({}).find("a", user("ann")), nullptr);
}

TEST(ChannelRules, RefusesWhatIsNoneAndNamesIt) {
  const std::vector<std::pair<std::string, std::string>> bad{
      {"public.*", "is not PATTERN=anyone"}, {"public.*=", "ends in ''"},
      {"public.*=all", "ends in 'all'"},     {"=anyone", "it is empty"},
      {"a*=anyone", "stand alone"},          {"public.*=self", "{user} or {tenant}"},
      {"user.{user}=anyone", "write self"},  {"**.a=anyone", "nothing may follow"}};
  for (const auto& [text, why] : bad) {
    const std::string error = error_of([&text = text] { ChannelRules::parse({"ok=anyone", text}); }).what();
    EXPECT_THAT(error, HasSubstr(why)) << text;
    EXPECT_THAT(error, HasSubstr("--channel-rule '" + text + "'"));
  }
  EXPECT_THAT(error_of([] { ChannelRules::parse(std::vector<std::string>(1001, "a=anyone")); }).what(),
              HasSubstr("more than 1000"));
}

}  // namespace
}  // namespace sse::auth
