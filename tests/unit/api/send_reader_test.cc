#include "api/send_reader.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>

#include "base/error.h"

namespace sse::api {
namespace {

// What the document's way says: a request, or the sentence of its error.
template <class Read>
std::string outcome(Read read) {
  try {
    const SendRequest request = read();
    return event::dump_json(to_json(request));
  } catch (const Error& e) {
    return e.what();
  }
}

std::string quick(std::string_view text) {
  return outcome([&] { return read_send_request(text, "the line"); });
}

std::string thorough(std::string_view text) {
  return outcome([&] { return send_request_from_json(event::parse_json(text, "the line")); });
}

constexpr std::string_view kTexts[] = {
    R"({"target":{"users":["1"]},"event":"news","data":"x"})",
    R"( { "target" : { "users" : [ "1" , "2" , "1" ] , "listening" : true } , "data" : "x" } )",
    R"({"target":{"all":true},"data":"{\"name\":\"a\\b\/\b\f\n\r\t\"}","qos":true,"service":"hr"})",
    R"({"target":{"tenants":["t"]}})",
    R"({"target":{"tokens":["k"]},"event":""})",
    R"({"target":{"channels":["c"],"listening":false},"qos":false})",
    R"({"target":{"users":[1,-2]},"data":{"b":1,"a":[]}})",
    R"({"target":{"users":["\u00e9"]},"data":"\u0000\ud83d\ude00"})",
    "{\"target\":{\"users\":[\"\xC3\xA9\"]},\"data\":\"\xF0\x9F\x98\x80\"}",
    "{\"target\":{\"users\":[\"\xC3\"]}}",
    "{\"target\":{\"all\":true},\"data\":\"a\nb\"}",
    R"({"target":{"all":true},"ttl":"1h","qos":true,"id":"k","collapse":"c"})",
    R"({"target":{"all":true},"ttl":"1h"})",
    R"({"target":{"all":true,"users":["1"]}})",
    R"({"target":{"users":["1"],"tenants":["1"]}})",
    R"({"target":{"all":false,"users":["1"]}})",
    R"({"target":{"users":[]}})",
    R"({"target":{"users":[""]}})",
    R"({"target":{"users":null,"all":true}})",
    R"({"target":{}})",
    R"({"data":"x"})",
    R"({"target":{"all":true},"data":"x","data":"y"})",
    R"({"target":{"all":true},"event":null,"data":null})",
    R"({"target":{"all":true},"wrong":1})",
    R"({"target":{"all":true},})",
    R"({"target":{"all":true}} x)",
    R"({"target":{"all":true)",
    R"({"target":{"all":true},"data":"x)",
    R"({"target":{"all":true},"data":"\)",
    R"({"target":{"all":true},"data":"\x"})",
    R"({"target":{"all":true},"data":truefalse})",
    R"({"target":{"all":truex}})",
    "{}",
    "[]",
    "",
    "null",
};

TEST(SendReader, ReadsAndRefusesAsTheDocumentsWayDoes) {
  for (const std::string_view text : kTexts) EXPECT_EQ(quick(text), thorough(text)) << text;
}

TEST(SendReader, ReadsAndRefusesChangedTextsAsTheDocumentsWayDoes) {
  std::mt19937 random(7);
  constexpr std::string_view kBytes = "\"\\{}[]:,tfn 1\n\xC3\xA9u/";
  const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  for (const std::string_view text : kTexts) {
    for (int round = 0; round < 60 && !text.empty(); ++round) {
      std::string changed(text);
      const std::size_t at = below(changed.size());
      switch (below(3)) {
        case 0:
          changed[at] = kBytes[below(kBytes.size())];
          break;
        case 1:
          changed.erase(at, 1 + below(3));
          break;
        default:
          changed.insert(at, 1, kBytes[below(kBytes.size())]);
      }
      ASSERT_EQ(quick(changed), thorough(changed)) << changed;
    }
  }
}

TEST(SendReader, TakesTimeInProportionToTheText) {
  std::string text = R"({"target":{"users":["0")";
  for (int i = 1; i < 9000; ++i) text += ",\"" + std::to_string(i) + '"';
  text += R"(]},"data":")" + std::string(2'000'000, 'x') + "\"}";
  EXPECT_EQ(read_send_request(text, "the line").target.names.size(), 9000U);
}

}  // namespace
}  // namespace sse::api
