#include "pages/connect_parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/error.h"
#include "hub/hub.h"

namespace sse::pages {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr WallTime kNow{milliseconds(1'000'000)};

httplib::Request get(const std::string& query) {
  httplib::Request req;
  req.method = "GET";
  req.target = "/p/connect?" + query;
  return req;
}

httplib::Request post(const std::string& query, const std::string& body) {
  httplib::Request req = get(query);
  req.method = "POST";
  req.body = body;
  req.set_header("Content-Type", "application/json; charset=utf-8");
  return req;
}

hub::NewConnection read(const httplib::Request& req, auth::User user = {}, ConnectContext context = {"", {}, kNow}) {
  return read_connection(req, std::move(user), context);
}

std::string refusal(const httplib::Request& req, auth::User user = {}) {
  try {
    read(req, std::move(user));
  } catch (const Error& e) {
    return std::string(error_name(e.code())) + ": " + e.what();
  }
  return "";
}

std::vector<std::string> channels_of(const hub::NewConnection& connection) {
  std::vector<std::string> names;
  for (const hub::JoinedChannel& channel : connection.channels) names.push_back(channel.name.str());
  return names;
}

TEST(ReadConnection, TakesParametersOfTheQueryAndTheHeaders) {
  httplib::Request req =
      get("channel=c%20d&listeners=a,%20b&keepaliveTime=60000&ack=1&ackMarks=1&ping=1&ends=1&lastEventId=17");
  req.set_header("User-Agent", std::string(600, 'u'));
  req.set_header("Host", "h.example");
  req.set_header("Origin", "https://o.example");
  auth::User user;
  user.identity.user = UserId("7");
  user.profile = "{}";
  const hub::NewConnection connection = read(req, user, {"192.0.2.1", {}, kNow});
  EXPECT_EQ(connection.identity.user.str(), "7");
  EXPECT_THAT(channels_of(connection), ElementsAre("c d"));
  EXPECT_THAT(connection.listeners, ElementsAre("a", "b"));
  EXPECT_EQ(connection.keepalive, milliseconds(60'000));
  EXPECT_TRUE(connection.confirms);
  EXPECT_TRUE(connection.marks);
  EXPECT_TRUE(connection.pings);
  EXPECT_TRUE(connection.ends);
  EXPECT_EQ(connection.last_event, 17U);
  EXPECT_EQ(connection.last_event_id, "17");
  EXPECT_EQ(connection.attributes.address, "192.0.2.1");
  EXPECT_EQ(connection.attributes.user_agent.size(), 512U);
  EXPECT_EQ(connection.attributes.host, "h.example");
  EXPECT_EQ(connection.attributes.origin, "https://o.example");
  EXPECT_EQ(connection.attributes.profile, "{}");
  EXPECT_FALSE(connection.ends_with_token);
}

TEST(ReadConnection, TheHeaderOfTheBrowserIsNewerThanTheParameter) {
  httplib::Request req = get("lastEventId=17");
  req.set_header("Last-Event-ID", "18");
  EXPECT_EQ(read(req).last_event_id, "18");
}

TEST(ReadConnection, AClientThatConfirmsByIdConfirmsNothingByItsLastEventId) {
  const hub::NewConnection connection = read(get("ack=1&ackBy=id&lastEventId=17"));
  EXPECT_EQ(connection.last_event, 0U) << "confirms nothing";
  EXPECT_EQ(connection.last_event_id, "17") << "resumes";
}

TEST(ReadConnection, AddsTheFieldsOfAJsonBodyToTheQuery) {
  const hub::NewConnection connection = read(post("a=1", R"({"channel":"c&d","n":5,"nothing":null})"));
  EXPECT_THAT(channels_of(connection), ElementsAre("c&d"));
  EXPECT_EQ(connection.attributes.query, "a=1&channel=c%26d&n=5&nothing=");
  EXPECT_THAT(refusal(post("", "[]")), HasSubstr("must be a JSON object"));
  EXPECT_THAT(refusal(post("", R"({"a":")" + std::string(17'000, 'x') + "\"}")), HasSubstr("larger than 16 KiB"));
}

TEST(ReadConnection, EveryValueOfChannelIsOneName) {
  EXPECT_THAT(channels_of(read(get("channel=a,b&channel=c&channel=&channel=a,b"))), ElementsAre("a,b", "c"));
  EXPECT_THAT(channels_of(read(post("channel=a", R"({"channel":["b","c"]})"))), ElementsAre("a", "b", "c"));
  EXPECT_THAT(channels_of(read(get("channel="))), ElementsAre());
}

TEST(ReadConnection, LimitsTheNamesOfSeveralChannels) {
  // A single one may be any text, as in the Java library.
  EXPECT_THAT(channels_of(read(get("channel=a%0Ab"))), ElementsAre("a\nb"));
  EXPECT_THAT(channels_of(read(get("channel=" + std::string(1024, 'x')))), ElementsAre(std::string(1024, 'x')));
  EXPECT_THAT(refusal(get("channel=a%0Ab&channel=c")), HasSubstr("'a\\x0Ab' cannot be one of several channels"));
  EXPECT_THAT(refusal(get("channel=c&channel=" + std::string(201, 'x'))), HasSubstr("1 to 200 bytes"));
  std::string query;
  for (int i = 0; i < 100; ++i) query += "&channel=c" + std::to_string(i);
  EXPECT_EQ(channels_of(read(get(query + "&channel=c0"))).size(), 100U);
  EXPECT_THAT(refusal(get(query + "&channel=c100")), HasSubstr("at most 100 channels"));
}

TEST(ReadConnection, AStreamJoinsTheChannelsWhosePresenceItWatches) {
  const auto watched = [](const hub::NewConnection& connection) {
    std::vector<std::string> names;
    for (const ChannelName& channel : connection.presence) names.push_back(channel.str());
    return names;
  };
  const hub::NewConnection connection = read(get("channel=a&channel=b&presence=b&presence=c&presence="));
  EXPECT_THAT(channels_of(connection), ElementsAre("a", "b", "c"));
  EXPECT_THAT(watched(connection), ElementsAre("b", "c"));
  const hub::NewConnection posted = read(post("", R"({"presence":["a,b","d"]})"));
  EXPECT_THAT(channels_of(posted), ElementsAre("a,b", "d"));
  EXPECT_THAT(watched(posted), ElementsAre("a,b", "d"));
  EXPECT_THAT(refusal(get("presence=a%0Ab")), HasSubstr("'a\\x0Ab' cannot be one of several channels"));
  EXPECT_THAT(refusal(get("channel=a%0Ab&presence=c")), HasSubstr("'a\\x0Ab' cannot be one of several channels"));
}

TEST(ReadConnection, TheServersKeepaliveOverridesTheClients) {
  EXPECT_EQ(read(get("")).keepalive, milliseconds(900'000));
  EXPECT_EQ(read(get("keepaliveTime=0")).keepalive, milliseconds(0));
  EXPECT_EQ(read(get("keepaliveTime=soon"), {}, {"", milliseconds(90), kNow}).keepalive, milliseconds(90));
  EXPECT_THAT(refusal(get("keepaliveTime=soon")), HasSubstr("keepaliveTime 'soon'"));
  EXPECT_EQ(read(get("keepaliveTime=-1")).keepalive, milliseconds(0)) << "as the Java library";
}

TEST(ReadConnection, TheStreamEndsWithTheCredentials) {
  auth::User user;
  user.expires = kNow + milliseconds(500);
  EXPECT_EQ(read(get("keepaliveTime=1000"), user).keepalive, milliseconds(500));
  EXPECT_TRUE(read(get("keepaliveTime=0"), user).ends_with_token);
  EXPECT_EQ(read(get("keepaliveTime=499"), user).keepalive, milliseconds(499));
  EXPECT_FALSE(read(get("keepaliveTime=499"), user).ends_with_token);
  user.expires = kNow - milliseconds(500);
  EXPECT_EQ(read(get(""), user).keepalive, milliseconds(1));
}

TEST(ReadConnection, LimitsWhatIsStored) {
  EXPECT_THAT(refusal(get("clientId=" + std::string(257, 'x'))), HasSubstr("the clientId must be at most 256 bytes"));
  EXPECT_THAT(refusal(get("channel=%ff")), HasSubstr("the channel must be at most"));
  httplib::Request req = get("");
  req.set_header("Origin", std::string(301, 'x'));
  EXPECT_THAT(refusal(req), HasSubstr("Host and Origin"));
  auth::User user;
  user.identity.tenant = TenantId(std::string(2000, 't'));
  EXPECT_THAT(refusal(get(""), user), HasSubstr("the tenant id must be"));
  user = {};
  user.profile = std::string(auth::kMaxProfileBytes + 1, 'p');
  EXPECT_THAT(refusal(get(""), user), HasSubstr("the profile of the user"));
}

TEST(CheckedListeners, AreEventNamesWithinTheLimits) {
  EXPECT_THAT(checked_listeners({"a", "é"}), ElementsAre("a", "é"));
  EXPECT_THROW(checked_listeners({"a\nb"}), Error);
  EXPECT_THROW(checked_listeners({"\xff"}), Error);
  EXPECT_THROW(checked_listeners({std::string("a\0b", 3)}), Error);
  EXPECT_THROW(checked_listeners({std::string(257, 'x')}), Error);
  EXPECT_THROW(checked_listeners(std::vector<std::string>(hub::kMaxListeners + 1, "a")), Error);
  EXPECT_THROW(checked_listeners(std::vector<std::string>(200, std::string(256, 'x'))), Error);
}

}  // namespace
}  // namespace sse::pages
