#include "net/path_template.h"

#include <gtest/gtest.h>

#include <random>
#include <regex>
#include <stdexcept>
#include <string>

namespace sse::net {
namespace {

TEST(PathTemplate, MatchesTheWholePath) {
  const PathTemplate plain("/api/v1");
  EXPECT_TRUE(plain.matches("/api/v1"));
  EXPECT_FALSE(plain.matches("/api/v1/"));
  EXPECT_FALSE(plain.matches("/x/api/v1"));
  EXPECT_FALSE(plain.matches("/api/v"));
  EXPECT_FALSE(plain.matches(""));
}

TEST(PathTemplate, TakesOneSegmentOfSomeSize) {
  const PathTemplate one("/m/{}/trace");
  EXPECT_TRUE(one.matches("/m/1/trace"));
  EXPECT_TRUE(one.matches("/m/" + std::string(PathTemplate::kMaxSegment, 'x') + "/trace"));
  EXPECT_FALSE(one.matches("/m/" + std::string(PathTemplate::kMaxSegment + 1, 'x') + "/trace"));
  EXPECT_FALSE(one.matches("/m//trace"));
  EXPECT_FALSE(one.matches("/m/1/2/trace"));
}

TEST(PathTemplate, TakesWordsAndRests) {
  EXPECT_TRUE(PathTemplate("/{users|user}.json").matches("/users.json"));
  EXPECT_TRUE(PathTemplate("/{user|users}.json").matches("/users.json"));
  EXPECT_FALSE(PathTemplate("/{users|user}.json").matches("/userss.json"));
  EXPECT_TRUE(PathTemplate("/m/{+}.do").matches("/m/a/b.do.do"));
  EXPECT_FALSE(PathTemplate("/m/{+}.do").matches("/m/.do"));
  EXPECT_FALSE(PathTemplate("/m/{+}.do").matches("/m/a\nb.do"));
  EXPECT_TRUE(PathTemplate("/m/{*}").matches("/m/"));
}

TEST(PathTemplate, RefusesAnOpenBrace) {
  EXPECT_THROW(PathTemplate("/a/{b"), std::invalid_argument);
}

TEST(PathTemplate, TakesEscapedTextAsItIs) {
  const std::string odd = "/a.b(c)*[d]+$^|{}\\";
  EXPECT_TRUE(PathTemplate(PathTemplate::literal(odd)).matches(odd));
  EXPECT_FALSE(PathTemplate(PathTemplate::literal(odd)).matches("/axb(c)*[d]+$^|{}\\"));
}

// It decides which requests are let through, the regular expression who answers them.
TEST(PathTemplate, SaysOfEveryPathWhatItsRegularExpressionSays) {
  std::mt19937 random(20261129);
  const auto any = [&](const std::vector<std::string>& of) { return of[random() % of.size()]; };
  const std::vector<std::string> parts{"/", "/a", "a", "b", "ab", ".do", "{}", "{+}", "{*}", "{a|ab}", "{b|.do}"};
  const std::vector<std::string> pieces{"/", "a", "b", "ab", ".do", "\n", "/a"};
  int matched = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string text = "/";
    for (auto n = random() % 5; n > 0; --n) text += any(parts);
    const PathTemplate tested(text);
    const std::regex regex(tested.regex());
    for (int p = 0; p < 20; ++p) {
      std::string path = "/";
      for (auto n = random() % 7; n > 0; --n) path += any(pieces);
      const bool expected = std::regex_match(path, regex);
      matched += expected ? 1 : 0;
      EXPECT_EQ(tested.matches(path), expected) << text << " and " << path;
    }
  }
  EXPECT_GT(matched, 1000);
}

}  // namespace
}  // namespace sse::net
