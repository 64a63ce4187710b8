#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "event/json.h"
#include "server/server.h"
#include "unit/net/loopback.h"

namespace sse::testing {

using event::Json;

/// A page with an open stream, over a raw socket.
struct OpenStream {
  Client client;
  std::string head;
  std::string id;
};

/// A whole server in this process: public listener on a free port, admin listener on a unix socket.
class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    options_.listen = "127.0.0.1:0";
    options_.admin = "unix:" + folder_.file("admin.sock");
    options_.server_id = "node-1";
    options_.allowed_hosts = {"example.org", "h"};  // of requests here
    options_.loops = 2;
    options_.workers = 4;
  }
  void TearDown() override {
    if (server_) server_->stop();
  }

  void start(std::unique_ptr<auth::Authenticator> authenticator = nullptr,
             std::unique_ptr<application::Application> application = nullptr) {
    server_ = std::make_unique<server::Server>(options_, std::move(authenticator), std::move(application));
    server_->start();
  }
  int port() const {
    const std::string url = server_->url();
    return std::atoi(url.c_str() + url.rfind(':') + 1);
  }
  Client client() const { return Client::tcp(port()); }

  /// Requests of a page: one connection each, so that they do not wait for each other.
  Response get(const std::string& target, const std::string& headers = "") const {
    return client().get(target, headers);
  }
  Response post(const std::string& target, const std::string& body,
                const std::string& type = "application/json") const {
    return client().post(target, body, "Content-Type: " + type + "\r\n");
  }
  /// `data` of a wrapped answer.
  Json data(const Response& response) const {
    EXPECT_EQ(response.status, 200) << response.body;
    return event::parse_json_or_null(response.body).value("data", Json());
  }

  /// Opens a stream and waits for connect-finish. `query` without '?'.
  OpenStream stream(const std::string& query = "", const std::string& headers = "",
                    const std::string& path = "/my-sse") const {
    OpenStream out{client(), "", ""};
    out.client.send("GET " + path + "/connect?" + query + " HTTP/1.1\r\nHost: example.org\r\n" + headers + "\r\n");
    finish_opening(out);
    return out;
  }
  static void finish_opening(OpenStream& out) {
    EXPECT_TRUE(out.client.receive_until("\r\n\r\n"));
    const std::string all = out.client.received();
    out.head = all.substr(0, all.find("\r\n\r\n") + 4);
    if (out.head.find("Transfer-Encoding: chunked") != std::string::npos) out.client.decode_chunks(out.head.size());
    EXPECT_TRUE(out.client.receive_until("\n\n")) << all;
    const std::string event = out.client.received().substr(out.head.size());
    EXPECT_EQ(event.substr(0, 3), "id:") << all;
    out.id = event.substr(3, event.find('\n') - 3);
  }

  /// The admin API.
  httplib::Client admin() const {
    httplib::Client http(options_.admin.substr(5));
    http.set_address_family(AF_UNIX);
    http.set_read_timeout(30);
    return http;
  }
  Json admin_get(const std::string& target, int status = 200) const { return parsed(admin().Get(target), status); }
  Json admin_post(const std::string& target, const Json& body, int status = 200) const {
    return parsed(admin().Post(target, body.dump(), "application/json"), status);
  }
  static Json parsed(const httplib::Result& result, int status) {
    if (!result) {
      ADD_FAILURE() << "no answer: " << httplib::to_string(result.error());
      return {};
    }
    EXPECT_EQ(result->status, status) << result->body;
    return event::parse_json_or_null(result->body);
  }

  TempFolder folder_;
  server::ServerOptions options_;
  std::unique_ptr<server::Server> server_;
};

}  // namespace sse::testing
