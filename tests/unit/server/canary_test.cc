#include "server/canary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/manual_clock.h"
#include "support/errors.h"
#include "support/eventually.h"
#include "support/relay.h"
#include "unit/net/tls_peer.h"
#include "unit/server/server_fixture.h"

// A server that is a client of its own public address: behind a relay, as a proxy is.
namespace sse::server {
namespace {

using namespace testing;
using namespace std::chrono_literals;

using ::testing::HasSubstr;
using ::testing::Not;

class CanaryTest : public ServerTest {
 protected:
  CanaryTest() {
    options_.canary_interval = 1s;
    options_.canary_url = "http://" + relay_.address() + "/my-sse";
    options_.clock = &clock_;
    options_.heartbeat = 0ms;
  }

  // Before the clock.
  void TearDown() override {
    ServerTest::TearDown();
    server_.reset();
  }

  void start_behind_relay(std::unique_ptr<auth::Authenticator> authenticator = nullptr) {
    start(std::move(authenticator));
    relay_.set_target("127.0.0.1:" + std::to_string(port()));
  }
  Json canary() const { return admin_get("/api/v1/status").value("canary", Json()); }
  std::string state() const { return canary().value("own", Json()).value("state", ""); }
  double metric(const std::string& name) const { return server_->metrics().snapshot()[name]; }
  double received() const { return metric("sse_canary_received_total{origin=\"own\"}"); }
  double failed(const std::string& reason) const {
    return metric("sse_canary_failed_total{origin=\"own\",reason=\"" + reason + "\"}");
  }
  // Moves the clock until then, but lets what is on its way arrive before each step.
  bool soon(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + kTimeout;
    while (!eventually(done, 20ms)) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      clock_.advance(500ms);
    }
    return true;
  }

  ManualClock clock_;
  Relay relay_;
};

TEST_F(CanaryTest, MeasuresItsOwnEventsThroughThePublicAddress) {
  start_behind_relay();
  EXPECT_TRUE(soon([&] { return received() >= 2; }));
  EXPECT_TRUE(soon([&] { return state() == "ok"; }));
  const Json shown = canary();
  EXPECT_EQ(shown["url"], options_.canary_url);
  EXPECT_EQ(shown["intervalMillis"], 1000);
  EXPECT_EQ(shown["connected"], true);
  EXPECT_EQ(shown["node"], "node-1");
  EXPECT_EQ(shown["error"], nullptr);
  EXPECT_EQ(shown["paused"], false);
  EXPECT_FALSE(shown.contains("other"));
  EXPECT_GT(metric("sse_canary_delivery_seconds_count{origin=\"own\"}"), 0);
  EXPECT_GT(metric("sse_canary_last_success_timestamp_seconds{origin=\"own\"}"), 0);
  EXPECT_GE(metric("sse_canary_sent_total{origin=\"own\"}"), received());
}

TEST_F(CanaryTest, NoListAndNoCountHasItsStream) {
  options_.enable_get_json = true;
  options_.max_connections = 100;
  start_behind_relay();
  EXPECT_TRUE(soon([&] { return received() >= 1; }));
  EXPECT_EQ(canary()["connected"], true);
  const Json status = admin_get("/api/v1/status");
  EXPECT_EQ(status["connections"], 0);
  EXPECT_EQ(status["users"], 0);
  EXPECT_EQ(status["services"][0]["connections"], 0);
  EXPECT_EQ(status["counters"]["sse_streams_open{service=\"defaultConnectionService\"}"], 0);
  EXPECT_EQ(status["counters"]["sse_streams_opened_total{service=\"defaultConnectionService\"}"], 0);
  for (const std::string list : {"connections", "users", "channels", "tenants", "tokens", "connections/closed"})
    EXPECT_EQ(admin_get("/api/v1/" + list).value("total", 0), 0) << list;
  EXPECT_THAT(data(get("/my-sse/connect/users.json")).value("total", -1), 0);
  EXPECT_THAT(data(get("/my-sse/connect/connections.json")).value("total", -1), 0);
  EXPECT_EQ(admin_post("/api/v1/send", {{"target", {{"all", true}}}, {"data", "x"}})["delivered"], 0);
  EXPECT_EQ(admin_post("/api/v1/send", {{"target", {{"users", {"0"}}}}, {"data", "x"}})["delivered"], 0);
  EXPECT_EQ(server_->open_streams(), 0);
  EXPECT_THAT(server_->metrics().prometheus(), Not(HasSubstr("service=\"sse-canary\"")));
  // A user's stream is alone.
  const OpenStream page = stream("userId=1");
  EXPECT_EQ(admin_post("/api/v1/send", {{"target", {{"all", true}}}, {"data", "x"}})["delivered"], 1);
}

TEST_F(CanaryTest, AuthenticatesWhateverTheAuthenticationIs) {
  options_.trusted_proxies = {"192.0.2.1"};
  start_behind_relay(auth::make_header_authenticator());
  EXPECT_TRUE(soon([&] { return received() >= 1; }));
}

TEST_F(CanaryTest, TheSecretOfAStrangerOpensNothing) {
  start_behind_relay();
  for (const std::string& secret :
       std::vector<std::string>{"x", "0.", "0.AAAA", "0." + std::string(43, 'A'), "17." + std::string(43, 'A'),
                                "99999999999999999999." + std::string(43, 'A'), std::string(5000, '0')}) {
    const Response response = get("/my-sse/connect?userId=1", "X-Sse-Canary: " + secret + "\r\n");
    EXPECT_EQ(response.status, 401) << secret;
    EXPECT_THAT(response.body, HasSubstr("X-Sse-Canary")) << secret;
  }
  EXPECT_EQ(metric("sse_connects_refused_total{reason=\"canary\",service=\"defaultConnectionService\",status=\"401\"}"),
            7);
}

TEST_F(CanaryTest, AServerWithoutACanaryRefusesOne) {
  options_.canary_interval = 0ms;
  options_.canary_url = "";
  start();
  EXPECT_EQ(get("/my-sse/connect?userId=1", "X-Sse-Canary: 0.AAAA\r\n").status, 401);
  EXPECT_EQ(admin_get("/api/v1/status").value("canary", Json("x")), nullptr);
}

TEST_F(CanaryTest, FailsAndRecoversWithThePublicAddress) {
  start_behind_relay();
  EXPECT_TRUE(soon([&] { return received() >= 1; }));
  relay_.cut();
  EXPECT_TRUE(soon([&] { return failed("connect") >= 2; }));
  EXPECT_EQ(state(), "failing");
  EXPECT_EQ(canary()["connected"], false);
  EXPECT_NE(canary()["error"], nullptr);
  relay_.restore();
  EXPECT_TRUE(soon([&] { return state() == "ok"; }));
  EXPECT_EQ(canary()["error"], nullptr);
}

TEST_F(CanaryTest, EventsThatDoNotArriveAreLost) {
  start_behind_relay();
  EXPECT_TRUE(soon([&] { return received() >= 1; }));
  relay_.swallow();
  EXPECT_TRUE(soon([&] { return failed("lost") >= 1; }));
  EXPECT_EQ(state(), "failing");
}

TEST_F(CanaryTest, GivesUpAServerThatNeverAnswers) {
  relay_.swallow();
  start_behind_relay();
  EXPECT_TRUE(soon([&] { return canary().value("error", Json()) == Json("it opened no stream within 5s"); }));
  EXPECT_TRUE(soon([&] { return failed("connect") >= 1; }));
}

TEST_F(CanaryTest, SaysThatAnotherServerAnswers) {
  options_.canary_url = "";
  options_.canary_interval = 0ms;
  start();
  const std::unique_ptr<Server> other = std::exchange(server_, nullptr);
  relay_.set_target("127.0.0.1:" + other->url().substr(other->url().rfind(':') + 1));
  options_.canary_url = "http://" + relay_.address() + "/my-sse";
  options_.canary_interval = 1s;
  options_.admin = "unix:" + folder_.file("second.sock");
  start();
  EXPECT_TRUE(soon([&] { return failed("connect") >= 1; }));
  EXPECT_TRUE(
      soon([&] { return canary().value("error", Json()) == Json("it answered with status 401 (server node-1)"); }));
  EXPECT_EQ(other->open_streams(), 0);
  other->stop();
}

TEST_F(CanaryTest, RejectsAFloodThatIsNotForIt) {
  relay_.lie("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: " + std::string(200'000, 'x'));
  start_behind_relay();
  EXPECT_TRUE(soon([&] {
    const Json error = canary().value("error", Json());
    return error.is_string() && error.get<std::string>().find("64KiB") != std::string::npos;
  }));
}

TEST_F(CanaryTest, RejectsAStreamThatDoesNotBeginAsOurs) {
  relay_.lie(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent:connect-finish\ndata:{\"name\":[1]}\n\n"
      "event:sse-canary\ndata:{\"from\":\"node-1\",\"id\":\"1\"}\n\n");
  start_behind_relay();
  EXPECT_TRUE(soon([&] {
    const Json error = canary().value("error", Json());
    return error.is_string() && error.get<std::string>().find("not as the canary") != std::string::npos;
  }));
  EXPECT_EQ(received(), 0);
}

TEST_F(CanaryTest, SurvivesGarbageInPlaceOfItsEvents) {
  relay_.lie(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
      "event:connect-finish\ndata:{\"name\":\"sse-canary\"}\n\n"
      "event:sse-canary\ndata:[]\n\nevent:sse-canary\ndata:{\"id\":{},\"from\":1}\n\nevent:sse-canary\ndata:{\n\n"
      "event:sse-canary\ndata:{\"from\":\"node-1\",\"id\":\"1\"}\n\n");
  start_behind_relay();
  EXPECT_TRUE(soon([&] { return failed("lost") >= 1; }));
  EXPECT_EQ(received(), 0);
}

TEST_F(CanaryTest, PausesWhileTheServerDrains) {
  start_behind_relay();
  EXPECT_TRUE(soon([&] { return received() >= 1; }));
  admin_post("/api/v1/nodes/drain", {{"node", "node-1"}});
  EXPECT_EQ(canary()["paused"], true);
  relay_.cut();
  EXPECT_TRUE(soon([&] { return canary()["connected"] == false; }));
  const double sent = metric("sse_canary_sent_total{origin=\"own\"}");
  clock_.advance(5s);
  EXPECT_EQ(failed("connect"), 0);
  EXPECT_EQ(metric("sse_canary_sent_total{origin=\"own\"}"), sent);
  relay_.restore();
  admin_post("/api/v1/nodes/undrain", {{"node", "node-1"}});
  const double before = received();
  EXPECT_TRUE(soon([&] { return received() > before; }));
}

TEST_F(CanaryTest, WithTlsItTrustsTheCertificatesThatItIsGiven) {
  const Certificate certificate(folder_, "server");
  const Certificate stranger(folder_, "stranger");
  options_.tls_certificate = certificate.file;
  options_.tls_key = certificate.key;
  options_.canary_url = "https://" + relay_.address() + "/my-sse";
  options_.canary_ca_file = certificate.file;
  start_behind_relay();
  EXPECT_TRUE(soon([&] { return received() >= 1; }));
  server_->stop();
  server_.reset();
  options_.canary_ca_file = stranger.file;
  start_behind_relay();
  EXPECT_TRUE(soon([&] {
    const Json error = canary().value("error", Json());
    return error.is_string() && error.get<std::string>().starts_with("TLS: ");
  }));
}

TEST_F(CanaryTest, StopsAtOnceWhileNothingAnswers) {
  relay_.swallow();
  start_behind_relay();
  EXPECT_TRUE(eventually([&] { return canary().is_object(); }));
  server_->stop();
}

TEST_F(CanaryTest, NoServiceMayHaveItsName) {
  options_.services = {{"sse-canary", "/a"}};
  EXPECT_THAT(refusal_of([&] { start(); }), HasSubstr("the server itself uses that name"));
}

}  // namespace
}  // namespace sse::server
