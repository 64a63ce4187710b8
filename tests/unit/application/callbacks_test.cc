#include "application/callbacks.h"

#include <future>
#include <mutex>
#include <string>
#include <vector>

#include "unit/server/server_fixture.h"

namespace sse::application {
namespace {

using namespace testing;

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CallbacksTest : public ServerTest {
 protected:
  void start_with(Callbacks callbacks) {
    server_ = std::make_unique<server::Server>(options_, std::move(callbacks));
    server_->start();
  }
  void note(const std::string& what) {
    const std::scoped_lock lock(mutex_);
    noted_.push_back(what);
  }
  std::vector<std::string> noted() {
    const std::scoped_lock lock(mutex_);
    return noted_;
  }

  std::mutex mutex_;
  std::vector<std::string> noted_;
};

TEST_F(CallbacksTest, HearsInOrderWhatHappensToAConnection) {
  Callbacks callbacks;
  callbacks.connected = [&](const ConnectedEvent& e) { note("connected " + e.connection.identity.user.str()); };
  callbacks.listening_changed = [&](const ListeningEvent& e) { note((e.added ? "+" : "-") + e.names.at(0)); };
  callbacks.disconnected = [&](const DisconnectedEvent& e) { note("disconnected " + e.reason + " " + e.note); };
  start_with(callbacks);
  const OpenStream page = stream("userId=ann");
  const std::string body = R"({"connectionId":")" + page.id + R"(","listener":["a"]})";
  post("/my-sse/connect/addListener.do?userId=ann", body);
  post("/my-sse/connect/removeListener.do?userId=ann", body);
  post("/my-sse/connect/disconnect.do?userId=ann", "connectionId=" + page.id + "&reason=bye",
       "application/x-www-form-urlencoded");
  EXPECT_TRUE(eventually([&] { return noted().size() == 4; }));
  EXPECT_THAT(noted(), ElementsAre("connected ann", "+a", "-a", "disconnected disconnect bye"));
}

TEST_F(CallbacksTest, HearsWhatBecomesOfAMessage) {
  Callbacks callbacks;
  callbacks.settled = [&](const DeliveryReport& report) {
    note(std::string(outcome_name(report.outcome)) + " " + report.recipient.name + " " + report.event);
  };
  start_with(callbacks);
  delivery::SendRequest request{event::Target::user(UserId("ann")), "order", "text", true};
  server_->sender("").send(request);
  request.notify = true;
  server_->sender("").send(request);
  const OpenStream page = stream("userId=ann");
  EXPECT_TRUE(eventually([&] { return noted().size() == 1; }));
  EXPECT_THAT(noted(), ElementsAre("confirmed ann order"));
}

TEST_F(CallbacksTest, RefusesToReportWhatIsNotStored) {
  start_with({});
  delivery::SendRequest request{event::Target::user(UserId("ann")), "order", "text"};
  request.notify = true;
  EXPECT_THROW(server_->sender("").send(request), Error);
}

TEST_F(CallbacksTest, HearsWhichChannelsAreOccupied) {
  Callbacks callbacks;
  callbacks.channel_occupied = [&](const ChannelEvent& e) { note("+" + e.channel.str()); };
  callbacks.channel_vacated = [&](const ChannelEvent& e) { note("-" + e.channel.str() + " of " + e.service.str()); };
  options_.presence_grace = std::chrono::milliseconds(50);
  start_with(callbacks);
  {
    const OpenStream page = stream("userId=ann&channel=room");
    EXPECT_TRUE(eventually([&] { return noted().size() == 1; }));
  }
  EXPECT_TRUE(eventually([&] { return noted().size() == 2; }));
  EXPECT_THAT(noted(), ElementsAre("+room", "-room of defaultConnectionService"));
}

TEST_F(CallbacksTest, RefusesWithTheStatusAskedFor) {
  Callbacks callbacks;
  callbacks.connect = [](ConnectRequest& request) {
    if (request.identity.user == UserId("banned")) throw Refusal(451, "for legal reasons");
  };
  start_with(callbacks);
  const Response refused = get("/my-sse/connect?userId=banned");
  EXPECT_EQ(refused.status, 451);
  EXPECT_THAT(refused.body, HasSubstr("for legal reasons"));
  const OpenStream welcome = stream("userId=welcome");
  EXPECT_TRUE(eventually([&] { return admin_get("/api/v1/connections")["total"] == 1; }));
}

TEST_F(CallbacksTest, FillInWhatTheyKnowOfAConnection) {
  Callbacks callbacks;
  ConnectionId announced;
  callbacks.connect = [&](ConnectRequest& request) {
    announced = request.id;
    request.profile = R"({"name":"Ann"})";
    request.channel = "lobby";
    request.attributes.emplace_back("plan", "gold & more");
  };
  start_with(callbacks);
  const OpenStream page = stream("userId=ann");
  EXPECT_EQ(page.id, announced.str());
  const Json shown = admin_get("/api/v1/connections/" + page.id);
  EXPECT_EQ(shown["accessUser"]["name"], "Ann");
  EXPECT_EQ(shown["channel"], "lobby");
  EXPECT_EQ(shown["httpParameters"]["plan"], "gold & more");
}

TEST_F(CallbacksTest, AnswerMessagesWithStatusAndError) {
  Callbacks callbacks;
  callbacks.message = [](const MessageRequest& request) -> sse::Answer {
    if (request.path == "no") return {409, R"({"taken":true})", "already taken"};
    if (request.path == "throw") throw std::runtime_error("not for the page");
    if (request.path == "garbled") return {200, "{not JSON"};
    return {200, request.json};
  };
  start_with(callbacks);
  const OpenStream page = stream();
  const auto ask = [&](const std::string& path) {
    return post("/my-sse/connect/message/" + path + ".do?connectionId=" + page.id, R"({"a":1})");
  };
  EXPECT_EQ(data(ask("yes")), (Json{{"a", 1}}));
  const Response no = ask("no");
  EXPECT_EQ(no.status, 409);
  EXPECT_EQ(no.body,
            R"({"success":false,"code":409,"data":{"taken":true},"message":null,"errorMessage":"already taken"})");
  const Response threw = ask("throw");
  EXPECT_EQ(threw.status, 500);
  EXPECT_EQ(threw.body.find("not for the page"), std::string::npos);
  EXPECT_EQ(ask("garbled").status, 500);
}

TEST_F(CallbacksTest, SeeTheRequestAndChooseTheLifetimeOfTheStream) {
  Callbacks callbacks;
  callbacks.connect = [](ConnectRequest& request) {
    request.attributes.emplace_back("language", request.request->header("Accept-Language"));
    request.attributes.emplace_back("asked", std::to_string(request.keepalive.count()));
    request.keepalive = std::chrono::minutes(5);
  };
  start_with(callbacks);
  const OpenStream page = stream("userId=ann&keepaliveTime=60000", "Accept-Language: de\r\n");
  const Json shown = admin_get("/api/v1/connections/" + page.id);
  EXPECT_EQ(shown["httpParameters"]["language"], "de");
  EXPECT_EQ(shown["httpParameters"]["asked"], "60000");
  EXPECT_EQ(shown["timeout"], 300'000);
}

TEST_F(CallbacksTest, AddHeadersToAnAnswerButNotThoseOfTheServer) {
  Callbacks callbacks;
  callbacks.message = [](const MessageRequest& request) -> sse::Answer {
    sse::Answer answer{200, request.json};
    if (request.path == "good")
      answer.headers = {{"Set-Cookie", "a=1; HttpOnly"}, {"Set-Cookie", "b=2"}, {"X-Empty", ""}};
    if (request.path == "framing") answer.headers = {{"content-LENGTH", "1"}};
    if (request.path == "split") answer.headers = {{"X-A", "1\r\nX-B: 2"}};
    if (request.path == "name") answer.headers = {{"X A", "1"}};
    return answer;
  };
  start_with(callbacks);
  const OpenStream page = stream();
  const auto ask = [&](const std::string& path) {
    return post("/my-sse/connect/message/" + path + ".do?connectionId=" + page.id, R"({"a":1})");
  };
  const Response good = ask("good");
  EXPECT_EQ(good.status, 200);
  EXPECT_THAT(good.head, AllOf(HasSubstr("Set-Cookie: a=1; HttpOnly\r\n"), HasSubstr("Set-Cookie: b=2\r\n")));
  for (const char* path : {"framing", "split", "name"}) EXPECT_EQ(ask(path).status, 500) << path;
}

TEST_F(CallbacksTest, DecideWhoMayReadTheLists) {
  options_.enable_get_json = true;
  Callbacks callbacks;
  callbacks.may_query = [](const QueryRequest& request) {
    return request.user.identity.user.str() == "boss" || (request.list == "users" && request.service.str() == "other");
  };
  start_with(callbacks);
  const auto status = [this](const std::string& list, const std::string& user) {
    return client().get("/my-sse/connect/" + list + ".json?userId=" + user).status;
  };
  for (const char* list : {"users", "connections", "repositoryMessages"}) {
    EXPECT_EQ(status(list, "boss"), 200) << list;
    EXPECT_EQ(status(list, "ann"), 403) << list;
  }
}

TEST_F(CallbacksTest, BlockNoStreamAndNoOtherRequest) {
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  Callbacks callbacks;
  callbacks.message = [released](const MessageRequest&) -> sse::Answer {
    released.wait();
    return {};
  };
  callbacks.connected = [released](const ConnectedEvent&) { released.wait(); };
  start_with(callbacks);
  OpenStream page = stream("userId=ann");
  std::vector<Client> waiting;
  for (int i = 0; i < 40; ++i) {
    waiting.push_back(client());
    waiting.back().send("POST /my-sse/connect/message/x.do?userId=ann&connectionId=" + page.id +
                        " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
  }
  EXPECT_EQ(get("/my-sse").status, 200);
  const OpenStream other = stream("userId=bob");
  server_->sender().send({event::Target::user(UserId("ann")), "note", "still here"});
  EXPECT_TRUE(page.client.receive_until("still here"));
  release.set_value();
  for (Client& one : waiting) EXPECT_TRUE(one.receive_until("\"success\":true")) << one.received();
}

TEST_F(CallbacksTest, MayUseTheServer) {
  Callbacks callbacks;
  callbacks.connected = [&](const ConnectedEvent& e) {
    server_->sender().send({event::Target::user(e.connection.identity.user), "welcome", "hello"});
  };
  start_with(callbacks);
  OpenStream page = stream("userId=ann");
  EXPECT_TRUE(page.client.receive_until("event:welcome"));
}

TEST_F(CallbacksTest, HearOfStreamsThatEndWithTheServer) {
  Callbacks callbacks;
  callbacks.disconnected = [&](const DisconnectedEvent& e) { note(e.reason); };
  start_with(callbacks);
  const OpenStream page = stream();
  server_->stop();
  EXPECT_THAT(noted(), ElementsAre("shutdown"));
}

}  // namespace
}  // namespace sse::application
