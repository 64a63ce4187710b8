#include <gtest/gtest.h>

#include "support/client.h"
#include "support/process.h"
#include "support/streams.h"

namespace sse::testing {
namespace {

class Framing : public ::testing::Test {
 protected:
  HttpResponse send(const std::string& data, const std::string& event = "e") {
    return admin_.post("/api/v1/send", {{"target", {{"users", {"1"}}}}, {"event", event}, {"data", data}});
  }
  HttpResponse send_raw(const std::string& body) { return admin_.request("POST", "/api/v1/send", body); }

  const TempFolder folder_;
  ServerProcess server_{folder_};
  HttpClient admin_{server_.admin()};
  Streams streams_{server_.pages()};
};

struct Case {
  std::string sent;
  std::string received;  // line breaks of every kind arrive as LF: an event stream cannot tell them apart
};

TEST_F(Framing, DataArrivesByteForByte) {
  std::string megabyte(1024 * 1024, 'x');
  for (std::size_t i = 0; i < megabyte.size(); i += 101) megabyte[i] = "0123456789"[i % 10];
  const std::string nul("a\0b", 3);
  const std::vector<Case> cases{
      {"plain", "plain"},
      {"a\nb", "a\nb"},
      {"a\rb", "a\nb"},
      {"a\r\nb", "a\nb"},
      {"a\n\rb", "a\n\nb"},
      {"\n", "\n"},
      {"\n\n\n", "\n\n\n"},
      {"\r\r\n\n", "\n\n\n"},
      {"ends\n", "ends\n"},
      {"\nbegins", "\nbegins"},
      {"", ""},
      {" ", " "},
      {" leading", " leading"},
      {"  two", "  two"},
      {"trailing ", "trailing "},
      {"\ttab", "\ttab"},
      {"a\n b\n  c", "a\n b\n  c"},
      {":no comment", ":no comment"},
      {"id: 7\nevent: forged\ndata: x\n\nretry: 1", "id: 7\nevent: forged\ndata: x\n\nretry: 1"},
      {"\xEF\xBB\xBF"
       "bom",
       "\xEF\xBB\xBF"
       "bom"},
      {"😀 推送 é", "😀 推送 é"},
      {"\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF"},
      {"\xE2\x80\xA8\xC2\x85", "\xE2\x80\xA8\xC2\x85"},
      {nul, nul},
      {megabyte, megabyte},
      {"after", "after"}};
  const std::size_t stream = streams_.connect("userId=1");
  for (const Case& one : cases) {
    const HttpResponse sent = send(one.sent, "名 of event");
    ASSERT_EQ(sent.status, 200) << sent.body;
    ASSERT_EQ(sent.json()["delivered"], 1);
    ASSERT_TRUE(streams_.run_until([&] { return streams_.events() > 0 && !streams_[stream].events.empty(); }))
        << "nothing arrived for: " << one.sent.substr(0, 100);
    const ReceivedEvent event = streams_[stream].events.back();
    streams_[stream].events.clear();
    EXPECT_EQ(event.type, "名 of event");
    EXPECT_EQ(event.id, sent.json()["id"]);
    // Not EXPECT_EQ: a megabyte in a failure is not readable.
    EXPECT_TRUE(event.data == one.received)
        << "sent: " << one.sent.substr(0, 100) << "\nreceived: " << event.data.substr(0, 100);
  }
  EXPECT_EQ(streams_.events(), cases.size());
}

TEST_F(Framing, JsonDataOfAnyTypeArrivesAsJsonText) {
  const std::size_t stream = streams_.connect("userId=1");
  ASSERT_EQ(send_raw(R"({"target":{"users":[1]},"data":{"a":[1,null,"é"]}})").status, 200);
  ASSERT_TRUE(streams_.run_until([&] { return streams_.events() == 1; }));
  EXPECT_EQ(streams_[stream].events[0].data, R"({"a":[1,null,"é"]})");
  EXPECT_EQ(streams_[stream].events[0].type, "server-push");
}

TEST_F(Framing, TextThatIsNoUnicodeIsRefused) {
  const std::size_t stream = streams_.connect("userId=1");
  for (const std::string bad : {"\xFF", "\xC0\xAF", "\xED\xA0\x80", "\xF5\x80\x80\x80", "cut \xE2\x82", "\\ud800",
                                "\\udc00x", "\\ud83d\\ud83d", "\\ude00\\ud83d"}) {
    const HttpResponse refused = send_raw(R"({"target":{"users":["1"]},"data":")" + bad + R"("})");
    EXPECT_EQ(refused.status, 400) << bad << ": " << refused.body;
    EXPECT_EQ(refused.headers.at("content-type"), "application/problem+json");
  }
  ASSERT_EQ(send_raw(R"({"target":{"users":["1"]},"data":"\ud83d\ude00"})").status, 200);
  ASSERT_TRUE(streams_.run_until([&] { return streams_.events() > 0; }));
  ASSERT_EQ(streams_.events(), 1U);
  EXPECT_EQ(streams_[stream].events[0].data, "😀");
}

TEST_F(Framing, EventNamesWithLineBreaksAreRefused) {
  for (const std::string& bad :
       {std::string("a\nb"), std::string("a\r"), std::string("\r\n"), std::string("a\0b", 3)}) {
    const HttpResponse refused = send("x", bad);
    EXPECT_EQ(refused.status, 400) << refused.body;
    EXPECT_NE(refused.body.find("line break or NUL"), std::string::npos) << refused.body;
  }
}

TEST_F(Framing, RequestsThatMakeNoSenseAreRefusedWithASentence) {
  struct Bad {
    std::string body;
    std::string says;
  };
  const std::vector<Bad> cases{
      {"", "not valid JSON"},
      {"{", "not valid JSON"},
      {R"({"target":{"users":["1"]}} x)", "not valid JSON"},
      {"[]", "must be a JSON object"},
      {"{}", "target"},
      {R"({"target":{}})", "the target is empty"},
      {R"({"target":{"users":[]}})", "names no user"},
      {R"({"target":{"users":[""]}})", "empty user"},
      {R"({"target":{"users":["1"],"all":true}})", "has all streams of the service already"},
      {R"({"target":{"users":["1"],"channels":["c"]},"qos":true})", "is for users and tokens only"},
      {R"({"target":{"channels":["c"],"tenant":"t"},"qos":true})", "of one tenant cannot be selected"},
      {R"({"target":{"users":["1"]},"except":"tab","qos":true})", "leave out 'except'"},
      {R"({"target":{"users":["1"]},"except":7})", "'except' must be a string"},
      {R"({"target":{"tokens":["1"],"tenant":"t"}})", "requires users or channels"},
      {R"({"target":{"user":["1"]}})", "unknown field 'user'"},
      {R"({"target":{"users":["1"]},"colour":"red"})", "unknown field 'colour'"},
      {R"({"target":{"users":["1"]},"event":7})", "'event' must be a string"},
      {R"({"target":{"users":["1"]},"qos":"yes"})", "'qos' must be true or false"},
      {R"({"target":{"users":["1"]},"qos":true,"ttl":"soon"})", "soon"},
      {R"({"target":{"users":["1"]},"ttl":"1h"})", "qos"},
      {R"({"target":{"users":["1"]},"service":"no such"})", "no such"},
      {std::string(100'000, '['), "nested deeper"},
  };
  for (const Bad& bad : cases) {
    const HttpResponse refused = send_raw(bad.body);
    const int expected = bad.says == "no such" ? 404 : 400;
    EXPECT_EQ(refused.status, expected) << bad.body.substr(0, 200);
    EXPECT_NE(refused.body.find(bad.says), std::string::npos) << bad.body.substr(0, 200) << "\n" << refused.body;
  }
}

}  // namespace
}  // namespace sse::testing
