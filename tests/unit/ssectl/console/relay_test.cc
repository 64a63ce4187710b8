#include "ssectl/console/relay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "base/manual_clock.h"
#include "base/mutex.h"
#include "support/http_server.h"
#include "unit/net/loopback.h"

namespace sse::ctl {
namespace {

using testing::Client;
using testing::HttpServer;
using testing::Response;

using ::testing::HasSubstr;

class ConsoleRelayTest : public ::testing::Test {
 protected:
  ConsoleRelayTest() {
    // What arrives at the server, as text.
    const auto echo = [](const httplib::Request& req, httplib::Response& res) {
      res.set_header("Set-Cookie", "a=b");
      res.set_header("X-Sse-Server-Id", "node-1");
      res.set_content(req.method + ' ' + req.target + " auth=" + req.get_header_value("Authorization") + " origin=" +
                          req.get_header_value("Origin") + " type=" + req.get_header_value("Content-Type") +
                          " q=" + req.get_param_value("q") + " body=" + std::to_string(req.body.size()),
                      "application/json");
    };
    server_.http().Get("/console/", echo);
    server_.http().Get("/api/v1/echo", echo);
    server_.http().Post("/api/v1/echo", echo);
    server_.http().Delete("/api/v1/echo", echo);
    server_.http().Get("/api/v1/large", [](const httplib::Request&, httplib::Response& res) {
      res.set_content(std::string(std::size_t{3} << 20U, 'x'), "application/json");
    });
    server_.http().Get("/api/v1/refused", [](const httplib::Request&, httplib::Response& res) {
      res.status = 409;
      res.set_content(R"({"detail":"no"})", "application/problem+json");
    });
    server_.http().Get("/api/v1/events", [this](const httplib::Request&, httplib::Response& res) {
      res.set_chunked_content_provider("application/x-ndjson", [this](std::size_t, httplib::DataSink& sink) {
        if (ended_.load()) {
          sink.done();
          return true;
        }
        const MutexLock lock(mutex_);
        while (lines_ == 0 && !ended_.load()) changed_.wait(mutex_);
        if (lines_ == 0) return true;
        --lines_;
        return sink.write("{}\n", 3);
      });
    });
    api::ClientOptions server;
    server.address = server_.start();
    server.token = "admin-token";
    relay_ = std::make_unique<ConsoleRelay>(server, 0, keys_);
    relay_->start();
    key_ = keys_.redeem(keys_.create_token()).value_or("");
  }
  void TearDown() override {
    end_feed();
    relay_.reset();
    server_.stop();
  }
  void end_feed() {
    const MutexLock lock(mutex_);
    ended_.store(true);
    changed_.notify_all();
  }
  void add_line() {
    const MutexLock lock(mutex_);
    ++lines_;
    changed_.notify_all();
  }

  int port() const { return std::atoi(relay_->origin().substr(relay_->origin().rfind(':') + 1).c_str()); }
  std::string host() const { return "127.0.0.1:" + std::to_string(port()); }
  std::string bearer() const { return "Authorization: Bearer " + key_ + "\r\n"; }
  // The response to a request of the browser, which ends with the connection.
  Response ask(const std::string& method, const std::string& target, const std::string& headers = "",
               const std::string& body = "", const std::string& host = "localhost") const {
    Client client = Client::tcp(port());
    client.send(method + ' ' + target + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n" + headers +
                (body.empty() && method == "GET" ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") +
                "\r\n" + body);
    Response response;
    if (!client.receive_until("\r\n\r\n")) return response;
    const std::string received = client.received();
    response.head = received.substr(0, received.find("\r\n\r\n") + 4);
    response.status = std::atoi(response.head.c_str() + 9);
    if (!response.header("Transfer-Encoding").empty()) client.decode_chunks(response.head.size());
    client.receive_all();
    response.body = client.received().substr(response.head.size());
    return response;
  }

  HttpServer server_;
  Mutex mutex_;
  CondVar changed_;
  std::atomic<bool> ended_{false};
  int lines_ GUARDED_BY(mutex_) = 0;
  ManualClock clock_;
  ConsoleKeys keys_{clock_};
  std::unique_ptr<ConsoleRelay> relay_;
  std::string key_;
};

TEST_F(ConsoleRelayTest, PassesRequestsOnWithTheTokenOfTheServer) {
  const Response got = ask("GET", "/api/v1/echo?q=a+b%2Bc", bearer());
  EXPECT_EQ(got.status, 200);
  EXPECT_THAT(got.body, HasSubstr("auth=Bearer admin-token "));
  EXPECT_THAT(got.body, HasSubstr("q=a b+c "));
  EXPECT_EQ(got.header("Content-Type"), "application/json");
  EXPECT_EQ(got.header("X-Sse-Server-Id"), "node-1");
  EXPECT_EQ(got.header("Set-Cookie"), "") << "the console has no cookies";
  const Response posted = ask("POST", "/api/v1/echo", bearer() + "Content-Type: application/json\r\n", "{}");
  EXPECT_THAT(posted.body, HasSubstr("POST /api/v1/echo "));
  EXPECT_THAT(posted.body, HasSubstr("type=application/json "));
  EXPECT_THAT(posted.body, HasSubstr("body=2"));
  EXPECT_THAT(ask("DELETE", "/api/v1/echo", bearer()).body, HasSubstr("DELETE /api/v1/echo"));
  EXPECT_EQ(ask("GET", "/api/v1/refused", bearer()).status, 409);
  EXPECT_EQ(ask("GET", "/api/v1/large", bearer()).body.size(), std::size_t{3} << 20U);
}

TEST_F(ConsoleRelayTest, WantsTheKeyOfASessionForAllButTheFilesOfTheConsole) {
  EXPECT_EQ(ask("GET", "/console/").status, 200);
  for (const std::string target : {"/api/v1/echo", "/", "/metrics", "/console/../api/v1/echo", "/console/%2e%2e/api",
                                   "/console/a/b", "/consoles"}) {
    const Response response = ask("GET", target);
    EXPECT_EQ(response.status, 401) << target;
    EXPECT_EQ(response.header("WWW-Authenticate"), "Bearer") << target;
    EXPECT_THAT(response.body, HasSubstr("ssectl console")) << target;
  }
  EXPECT_EQ(ask("GET", "/api/v1/echo", "Authorization: Bearer admin-token\r\n").status, 401);
  EXPECT_EQ(ask("GET", "/api/v1/echo", "Authorization: " + key_ + "\r\n").status, 401);
  EXPECT_EQ(ask("POST", "/console/", "", "{}").status, 401);
}

TEST_F(ConsoleRelayTest, ExchangesATokenOnceAndSoon) {
  const auto exchange = [this](const std::string& token) {
    return ask("POST", "/console/session", "Authorization: Bearer " + token + "\r\n");
  };
  const std::string token = keys_.create_token();
  const Response first = exchange(token);
  ASSERT_EQ(first.status, 200) << first.body;
  EXPECT_EQ(first.header("Cache-Control"), "no-store");
  const std::string key = event::parse_json(first.body, "the session").value("token", "");
  EXPECT_EQ(ask("GET", "/api/v1/echo", "Authorization: Bearer " + key + "\r\n").status, 200);
  EXPECT_EQ(exchange(token).status, 401) << "twice";
  const std::string late = keys_.create_token();
  clock_.advance(ConsoleKeys::kTokenLifetime);
  const Response refused = exchange(late);
  EXPECT_EQ(refused.status, 401);
  EXPECT_THAT(refused.body, HasSubstr("press Enter"));
  EXPECT_EQ(exchange("nonsense").status, 401);
  const std::string unused = keys_.create_token();
  EXPECT_EQ(ask("GET", "/console/session", "Authorization: Bearer " + unused + "\r\n").status, 404);
  EXPECT_TRUE(keys_.redeem(unused)) << "only POST exchanges it";
}

TEST_F(ConsoleRelayTest, RefusesOtherOriginsAndHosts) {
  for (const std::string headers : {"Origin: https://evil.example\r\n", "Sec-Fetch-Site: same-site\r\n"}) {
    EXPECT_EQ(ask("GET", "/api/v1/echo", headers + bearer()).status, 403) << headers;
    EXPECT_EQ(ask("GET", "/console/", headers).status, 403) << headers;
    const std::string token = keys_.create_token();
    EXPECT_EQ(ask("POST", "/console/session", headers + "Authorization: Bearer " + token + "\r\n").status, 403);
    EXPECT_TRUE(keys_.redeem(token)) << "the token is not used up";
  }
  for (const std::string name : {"evil.example", "console", "127.0.0.1.evil.example:80"})
    EXPECT_EQ(ask("GET", "/console/", "", "", name).status, 403) << name;
  EXPECT_EQ(ask("GET", "/api/v1/echo", "Origin: http://" + host() + "\r\n" + bearer(), "", host()).status, 200);
}

TEST_F(ConsoleRelayTest, BoundsBodies) {
  EXPECT_EQ(ask("POST", "/api/v1/echo", bearer(), std::string(ConsoleRelay::kMaxBody.count(), 'x')).status, 200);
  // Refused by its head, before it is sent.
  Client client = Client::tcp(port());
  client.send("POST /api/v1/echo HTTP/1.1\r\nHost: localhost\r\n" + bearer() + "Content-Length: 999999999\r\n\r\n");
  EXPECT_EQ(client.response().status, 413);
}

TEST_F(ConsoleRelayTest, PassesAStreamOnAsItComes) {
  Client client = Client::tcp(port());
  client.send("GET /api/v1/events?follow=true HTTP/1.1\r\nHost: localhost\r\n" + bearer() + "\r\n");
  add_line();
  EXPECT_TRUE(client.receive_until("{}\n"));
  const std::size_t size = client.received().size();
  add_line();
  EXPECT_TRUE(client.receive_bytes(size + 3)) << "before the response has ended";
  end_feed();
  EXPECT_TRUE(client.receive_until("\r\n0\r\n\r\n"));
}

TEST_F(ConsoleRelayTest, SaysThatTheServerIsAway) {
  server_.stop();
  const Response response = ask("GET", "/api/v1/echo", bearer());
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.header("Content-Type"), "application/problem+json");
  EXPECT_THAT(response.body, HasSubstr("is it running?"));
}

TEST_F(ConsoleRelayTest, EndsWithAnOpenStream) {
  Client client = Client::tcp(port());
  client.send("GET /api/v1/events?follow=true HTTP/1.1\r\nHost: localhost\r\n" + bearer() + "\r\n");
  add_line();
  EXPECT_TRUE(client.receive_until("{}\n"));
  relay_.reset();
  client.receive_all();
  EXPECT_EQ(client.received().find("\r\n0\r\n\r\n"), std::string::npos) << "the browser sees that it is not complete";
}

}  // namespace
}  // namespace sse::ctl
