#include "base/url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace sse {
namespace {

using std::string_literals::operator""s;
using testing::ElementsAre;
using testing::Pair;

TEST(Url, DecodesAQueryComponent) {
  EXPECT_EQ(url_decode("a+b%20c%2B"), "a b c+");
  EXPECT_EQ(percent_decode("a+b%20c%2B"), "a+b c+");
  EXPECT_EQ(url_decode("%e6%9c%8d"), "服");
  EXPECT_EQ(url_decode("%00"), "\0"s);
  EXPECT_EQ(url_decode("100%"), "100%");
  EXPECT_EQ(url_decode("%4"), "%4");
  EXPECT_EQ(url_decode("%zz%4g"), "%zz%4g");
  EXPECT_EQ(url_decode("%41"), "A");
}

TEST(Url, EncodesAllButUnreserved) {
  EXPECT_EQ(url_encode("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(url_encode("a b&c=d/服"), "a%20b%26c%3Dd%2F%E6%9C%8D");
}

TEST(Url, RoundTripsEveryByte) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(url_decode(url_encode(all)), all);
}

TEST(QueryOf, IsWhatFollowsTheFirstQuestionMark) {
  EXPECT_EQ(query_of("/path?a=1?b"), "a=1?b");
  EXPECT_EQ(query_of("/path?"), "");
  EXPECT_EQ(query_of("/path"), "");
}

TEST(TakeParameter, ReturnsEncodedPiecesInOrderAndSkipsEmptyOnes) {
  std::string_view form = "&&a=%31&b&=c&d=e=f&";
  EncodedParameter parameter;
  std::string seen;
  while (take_parameter(form, parameter)) seen.append(parameter.name).append(":").append(parameter.value).append(" ");
  EXPECT_EQ(seen, "a:%31 b: :c d:e=f ");
  EXPECT_EQ(form, "");
  EXPECT_FALSE(take_parameter(form, parameter));
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

TEST(FormParameters, KeepOrderAndRepeatedNames) {
  EXPECT_THAT(form_parameters("b=2&a=+1&b=%33&c&&"),
              ElementsAre(Pair("b", "2"), Pair("a", " 1"), Pair("b", "3"), Pair("c", "")));
  EXPECT_THAT(form_parameters(""), ElementsAre());
}

TEST(FormEncode, IsWhatFormParametersReads) {
  const FormParameters parameters{{"a b", "1&2"}, {"", "="}, {"服", "+%"}, {"a b", ""}};
  const std::string form = form_encode(parameters);
  EXPECT_EQ(form, "a%20b=1%262&=%3D&%E6%9C%8D=%2B%25&a%20b=");
  EXPECT_EQ(form_parameters(form), parameters);
  EXPECT_EQ(form_encode({}), "");
}

TEST(AppendParameter, SeparatesFromWhatIsThere) {
  std::string form;
  append_parameter(form, "a", "1");
  append_parameter(form, "b", "x y");
  EXPECT_EQ(form, "a=1&b=x%20y");
}

}  // namespace
}  // namespace sse
