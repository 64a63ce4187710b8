#include "server/server.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/manual_clock.h"
#include "support/errors.h"
#include "unit/server/server_fixture.h"

namespace sse::server {
namespace {

using namespace testing;

using ::testing::HasSubstr;
using ::testing::Not;

Error error_of(const ServerOptions& options) {
  return testing::error_of([&] { const Server server(options); });
}

TEST_F(ServerTest, RefusesOptionsThatMakeNoSense) {
  const auto refused = [&](auto change, const std::string& part) {
    ServerOptions options = options_;
    change(options);
    const Error error = error_of(options);
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(part));
  };
  for (const std::string path : {"", "/", "x", "/x/", "/x y", "/x?y", "/x%20"})
    refused([&](ServerOptions& o) { o.services = {{"a", path}}; }, "--service");
  refused([](ServerOptions& o) { o.services.clear(); }, "--service");
  refused([](ServerOptions& o) { o.services = {{"a", "/a"}, {"a", "/b"}}; }, "twice");
  refused([](ServerOptions& o) { o.services = {{"a", "/a"}, {"b", "/a"}}; }, "twice");
  refused([](ServerOptions& o) { o.services = {{"", "/a"}}; }, "--service");
  refused([](ServerOptions& o) { o.web_root = "/no/such/folder"; }, "--web-root");
  refused([](ServerOptions& o) { o.max_backlog = ByteCount(100); }, "--max-backlog");
  refused([](ServerOptions& o) { o.heartbeat = std::chrono::milliseconds(5); }, "--heartbeat");
  refused([](ServerOptions& o) { o.keepalive_time = std::chrono::milliseconds(5); }, "--keepalive-time");
  refused([](ServerOptions& o) { o.qos_ttl = std::chrono::milliseconds(0); }, "--qos-ttl");
  refused([](ServerOptions& o) { o.qos_max_per_user = 0; }, "--qos-max-per-user");
  refused([](ServerOptions& o) { o.trusted_proxies = {"x"}; }, "--trusted-proxy");
  refused([](ServerOptions& o) { o.listen = "nowhere"; }, "nowhere");
  refused([](ServerOptions& o) { o.admin_token_file = "/no/such/file"; }, "/no/such/file");
  refused([](ServerOptions& o) { o.tls_key = "/no/such/file"; }, "--tls-cert is missing");
  refused([](ServerOptions& o) { o.tls_certificate = "/no/such/file"; }, "--tls-key is missing");
  refused([](ServerOptions& o) { o.tls_certificate = o.tls_key = "/no/such/file"; }, "--tls-cert");
  refused(
      [](ServerOptions& o) {
        o.admin = "https://127.0.0.1:0";
        o.admin_token_file = "/no/such/file";
      },
      "--tls-cert");
}

TEST_F(ServerTest, RefusesARuleForAnApplicationThatIsNotAsked) {
  options_.channel_rules = {"team.*=hook"};
  EXPECT_THAT(testing::error_of([&] { start(auth::make_header_authenticator()); }).what(),
              HasSubstr("there is no --hook"));
  options_.channel_rules = {"team.*"};
  EXPECT_THAT(testing::error_of([&] { start(auth::make_header_authenticator()); }).what(),
              HasSubstr("--channel-rule 'team.*'"));
}

TEST_F(ServerTest, RefusesARuleToPublishForAnApplicationThatIsNotAsked) {
  options_.publish_rules = {"team.*=hook"};
  EXPECT_THAT(testing::error_of([&] { start(auth::make_header_authenticator()); }).what(),
              HasSubstr("--publish-rule 'team.*=hook' leaves channels to the application, but there is no --hook"));
  options_.publish_rules = {"team.*"};
  EXPECT_THAT(testing::error_of([&] { start(auth::make_header_authenticator()); }).what(),
              HasSubstr("--publish-rule 'team.*'"));
  options_.publish_rules = {};
  options_.max_publish = ByteCount(0);
  EXPECT_THAT(testing::error_of([&] { start(auth::make_header_authenticator()); }).what(), HasSubstr("--max-publish"));
}

TEST_F(ServerTest, StreamsLeaveTheChannelsThatNewRulesClose) {
  options_.channel_rules = {"a=anyone", "b=anyone"};
  options_.trusted_proxies = {"127.0.0.0/8"};
  start(auth::make_header_authenticator());
  OpenStream a = stream("channel=a", "X-Sse-User: 1\r\n");
  OpenStream b = stream("channel=b", "X-Sse-User: 1\r\n");
  OpenStream own = stream("channel=a", "X-Sse-User: 2\r\nX-Sse-Channels: a\r\n");
  EXPECT_THROW(server_->set_channel_rules({"a=anyone", "team.*=hook"}), Error);
  server_->set_channel_rules({"b=anyone"});
  EXPECT_TRUE(a.client.receive_until("event:sse-channel-refused\ndata:{\"channel\":\"a\",\"reason\":\"revoked\"}"));
  delivery::SendRequest event;
  event.target = event::Target::channel(ChannelName("a"));
  event.data = "to a";
  EXPECT_EQ(server_->sender().send(event).delivered, 1U) << "what the credentials allow, no rule takes away";
  event.target = event::Target::channel(ChannelName("b"));
  EXPECT_EQ(server_->sender().send(event).delivered, 1U);
  EXPECT_TRUE(own.client.receive_until("to a"));
  EXPECT_TRUE(b.client.receive_until("to a"));
}

TEST_F(ServerTest, NeverSharesAPortASocketOrADatabase) {
  options_.database = folder_.file("pending.db");
  start();
  ServerOptions port_taken = options_;
  port_taken.listen = server_->url().substr(7);
  port_taken.admin.clear();
  port_taken.database = ":memory:";
  EXPECT_EQ(error_of(port_taken).code(), ErrorCode::kConflict);
  EXPECT_THAT(error_of(port_taken).what(), HasSubstr("--listen"));
  ServerOptions socket_taken = options_;
  socket_taken.database = ":memory:";
  EXPECT_EQ(error_of(socket_taken).code(), ErrorCode::kConflict);
  EXPECT_THAT(error_of(socket_taken).what(), HasSubstr("--admin"));
  ServerOptions database_taken = options_;
  database_taken.admin.clear();
  EXPECT_EQ(error_of(database_taken).code(), ErrorCode::kConflict);
  EXPECT_THAT(error_of(database_taken).what(), HasSubstr("pending.db"));
  EXPECT_EQ(get("/my-sse").status, 200);
  EXPECT_EQ(admin().Get("/healthz")->status, 200);
}

TEST_F(ServerTest, KeepsWhatIsPendingOverARestart) {
  options_.database = folder_.file("pending.db");
  start();
  const auto sent = server_->sender().send({event::Target::user(UserId("1")), "news", "kept", true});
  server_->stop();
  server_.reset();
  start();
  OpenStream page = stream("userId=1");
  EXPECT_GT(std::stoull(page.id), sent.id);
  EXPECT_TRUE(page.client.receive_until("id:" + std::to_string(sent.id) + "\nevent:news\ndata:kept\n\n"));
  EXPECT_TRUE(eventually([&] { return admin_get("/api/v1/messages")["total"] == 0; }));
}

TEST_F(ServerTest, StopsByEndingStreamsWithoutGoodbye) {
  start();
  OpenStream page = stream();
  Client idle = client();
  EXPECT_EQ(idle.get("/my-sse").status, 200);
  server_->sender().send({event::Target::all(), "news", "last words"});
  std::thread stopper([&] { server_->stop(); });
  EXPECT_TRUE(page.client.receive_all());
  EXPECT_THAT(page.client.received(), HasSubstr("data:last words\n\n"));
  EXPECT_THAT(page.client.received(), Not(HasSubstr("connect-close")));
  page.client.close();
  EXPECT_TRUE(idle.receive_all());
  stopper.join();
  server_->stop();
}

TEST_F(ServerTest, StopsWithoutEverHavingStarted) {
  const Server server(options_);
}

TEST_F(ServerTest, PushesTheDemoToWhoIsOnline) {
  options_.demo = true;
  start();
  OpenStream page = stream();
  EXPECT_TRUE(page.client.receive_until("event:server-push\ndata:{\"name\":\"sendByUserId 服务端推送的\"}\n\n"));
}

TEST_F(ServerTest, HoldsManyStreamsWithoutMoreThreads) {
  options_.client_max_connections = 0;
  start();
  std::vector<OpenStream> pages;
  for (int i = 0; i < 20; ++i) pages.push_back(stream("userId=" + std::to_string(i % 7)));
  const int before = admin_get("/api/v1/status")["threads"];
  for (int i = 0; i < 180; ++i) pages.push_back(stream("userId=" + std::to_string(i % 7)));
  const Json status = admin_get("/api/v1/status");
  EXPECT_EQ(status["connections"], 200);
  EXPECT_EQ(status["users"], 7);
  // Workers may still be growing to their small cap.
  EXPECT_LE(status["threads"].get<int>(), before + 4 + 2);
  EXPECT_EQ(server_->sender().send({event::Target::all(), "news", "all of you"}).delivered, 200U);
  for (OpenStream& page : pages) EXPECT_TRUE(page.client.receive_until("data:all of you\n\n"));
}

// A stream is in the indexes before its client has seen the head: a send after that reaches it.
TEST_F(ServerTest, MissesNothingSentAfterTheHead) {
  start();
  for (int i = 0; i < 100; ++i) {
    OpenStream page{client(), "", ""};
    page.client.send("GET /my-sse/connect?userId=u" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n");
    ASSERT_TRUE(page.client.receive_until("HTTP/1.1 200"));
    EXPECT_EQ(server_->sender().send({event::Target::user(UserId("u" + std::to_string(i))), "news", "x"}).delivered,
              1U);
    page.client.close();
  }
}

TEST_F(ServerTest, GivesUpWhatExpiresWithoutBeingAsked) {
  ManualClock clock;
  options_.clock = &clock;
  start();
  admin_post("/api/v1/send", {{"target", {{"users", {"1"}}}}, {"data", "late"}, {"qos", true}, {"ttl", "90s"}});
  // Neither a list nor a connect makes it look.
  const auto expired = [&] { return server_->metrics().snapshot()["sse_expired_total"]; };
  clock.advance(std::chrono::seconds(60));
  EXPECT_EQ(expired(), 0);
  EXPECT_TRUE(clock.advance_until(std::chrono::seconds(10), [&] { return expired() == 1; }));
  EXPECT_EQ(admin_get("/api/v1/dead")["total"], 1);
  server_->stop();
  server_.reset();  // before its clock
}

TEST_F(ServerTest, ForgetsKeptEventsThatAreTooOldWithoutBeingAsked) {
  ManualClock clock;
  options_.clock = &clock;
  options_.history.events = 10;
  options_.history.ttl = std::chrono::seconds(90);
  start();
  admin_post("/api/v1/send", {{"target", {{"users", {"1"}}}}, {"data", "kept"}});
  const auto kept = [&] {
    return server_->metrics().snapshot()["sse_history_events{service=\"defaultConnectionService\"}"];
  };
  clock.advance(std::chrono::seconds(60));
  EXPECT_EQ(kept(), 1);
  EXPECT_TRUE(clock.advance_until(std::chrono::seconds(10), [&] { return kept() == 0; }));
  server_->stop();
  server_.reset();  // before its clock
}

TEST_F(ServerTest, IsReadyUntilItStops) {
  start();
  std::atomic<bool> saw_draining{false};
  OpenStream page = stream();  // holds the drain up until it is closed
  std::thread stopper([&] { server_->stop(); });
  EXPECT_TRUE(page.client.receive_all());
  saw_draining = admin().Get("/readyz")->status == 503;
  EXPECT_TRUE(saw_draining);
  EXPECT_EQ(admin_get("/api/v1/status")["state"], "draining");
  page.client.close();
  stopper.join();
}

}  // namespace
}  // namespace sse::server
