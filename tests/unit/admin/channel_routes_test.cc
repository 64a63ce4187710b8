#include "admin/channel_routes.h"

#include <string>
#include <vector>

#include "unit/server/server_fixture.h"

namespace sse::admin {
namespace {

using namespace testing;

using ::testing::HasSubstr;

// A token is the id of its user, who may join the channels of that name.
class Tokens final : public auth::Authenticator {
 public:
  std::optional<auth::User> authenticate(const auth::PageRequest& request) override {
    const std::string token = request.parameter("access-token");
    if (request.header("Authorization") != "Bearer " + token) return std::nullopt;
    if (token == "bad") throw Error(ErrorCode::kUnauthenticated, "it has expired");
    if (token.empty() || token == "unknown") return std::nullopt;
    auth::User user;
    user.identity.user = UserId(token);
    user.channels = {token + ".*"};
    user.publish = {token + ".out"};
    return user;
  }
};

class ChannelRoutesTest : public ServerTest {
 protected:
  httplib::Response ask(const std::string& body) const {
    const httplib::Result result = admin().Post("/api/v1/channels/explain", body, "application/json");
    EXPECT_TRUE(result);
    return result ? *result : httplib::Response();
  }
  // `right basis rule` of each channel.
  std::vector<std::string> answers(const std::string& body) const {
    const httplib::Response response = ask(body);
    EXPECT_EQ(response.status, 200) << response.body;
    std::vector<std::string> list;
    for (const Json& one : event::parse_json_or_null(response.body).value("list", Json::array())) {
      list.push_back(one.at("right").get<std::string>() + " " + one.at("basis").get<std::string>() + " " +
                     one.at("rule").get<std::string>());
    }
    return list;
  }
};

TEST_F(ChannelRoutesTest, NameTheRuleThatDecides) {
  options_.channel_rules = {"public.*=anyone", "user.{tenant}.{user}.*=self"};
  start(std::make_unique<Tokens>());
  EXPECT_EQ(answers(R"({"user":"ann","tenant":"acme","channels":["public.a","user.acme.ann.x","user.acme.bob.x"]})"),
            (std::vector<std::string>{"allowed rule public.*=anyone", "allowed rule user.{tenant}.{user}.*=self",
                                      "refused nothing "}));
  EXPECT_EQ(answers(R"({"user":"ann","channels":["user..ann.x"]})"), std::vector<std::string>{"refused nothing "});
  EXPECT_THAT(ask(R"({"user":"ann","channels":["x"]})").body, HasSubstr("credentials may, which were not given"));
}

TEST_F(ChannelRoutesTest, CountWhatTheTokenAllows) {
  start(std::make_unique<Tokens>());
  EXPECT_EQ(answers(R"({"token":"ann","channels":["ann.x","bob.x"]})"),
            (std::vector<std::string>{"allowed credentials ann.*", "refused nothing "}));
  EXPECT_THAT(ask(R"({"token":"ann","channels":["x"]})").body, HasSubstr(R"("user":"ann")"));
  EXPECT_EQ(ask(R"({"token":"ann","user":"ann","channels":["x"]})").status, 200);
  const httplib::Response other = ask(R"({"token":"ann","user":"bob","channels":["x"]})");
  EXPECT_EQ(other.status, 400);
  EXPECT_THAT(other.body, HasSubstr("the token is that of user 'ann'"));
  EXPECT_EQ(ask(R"({"token":"ann","tenant":"t","channels":["x"]})").status, 400);
  EXPECT_THAT(ask(R"({"token":"bad","channels":["x"]})").body, HasSubstr("the token is refused: it has expired"));
  EXPECT_EQ(ask(R"({"token":"unknown","channels":["x"]})").status, 400);
}

TEST_F(ChannelRoutesTest, NameWhatDecidesAboutPublishing) {
  options_.publish_rules = {"open=anyone", "room.*=subscriber"};
  start(std::make_unique<Tokens>());
  const auto publish = [&](const std::string& body) {
    std::vector<std::string> list;
    for (const Json& one : event::parse_json_or_null(ask(body).body).value("list", Json::array())) {
      const Json& right = one.at("publish");
      list.push_back(right.at("right").get<std::string>() + " " + right.at("rule").get<std::string>() + " " +
                     right.at("detail").get<std::string>());
    }
    return list;
  };
  EXPECT_EQ(publish(R"({"user":"ann","channels":["open","room.1","ann.x"]})"),
            (std::vector<std::string>{
                "allowed open=anyone --publish-rule 'open=anyone'",
                "subscriber room.*=subscriber --publish-rule 'room.*=subscriber': on a stream that is in the channel",
                "refused  no --publish-rule names it; the user's credentials may, which were not given"}));
  EXPECT_EQ(publish(R"({"token":"ann","channels":["ann.out","ann.x"]})"),
            (std::vector<std::string>{"allowed ann.out the credentials of the user list 'ann.out' to publish",
                                      "refused  neither a --publish-rule nor the token names it"}));
}

TEST_F(ChannelRoutesTest, SayThatTheDemoIsOpen) {
  start();
  EXPECT_EQ(answers(R"({"user":"ann","channels":["a"]})"), std::vector<std::string>{"allowed open "});
  server_->set_channel_rules({"b=anyone"});
  EXPECT_EQ(answers(R"({"user":"ann","channels":["a","b"]})"),
            (std::vector<std::string>{"refused nothing ", "allowed rule b=anyone"}));
}

TEST_F(ChannelRoutesTest, RefuseWhatIsNoQuestion) {
  start();
  for (const std::string body :
       {"", "[]", "{}", R"({"channels":"a"})", R"({"channels":[]})", R"({"channels":[7]})", R"({"channels":[""]})",
        R"({"channels":["a"],"user":[]})", R"({"channels":["a"],"chanels":1})"})
    EXPECT_EQ(ask(body).status, 400) << body;
  std::string many = R"({"channels":["a0")";
  for (int i = 1; i < 101; ++i) many += ",\"a" + std::to_string(i) + "\"";
  EXPECT_EQ(ask(many + "]}").status, 400);
  EXPECT_EQ(ask(R"({"channels":[")" + std::string(10'000, 'a') + R"("]})").status, 400);
}

}  // namespace
}  // namespace sse::admin
