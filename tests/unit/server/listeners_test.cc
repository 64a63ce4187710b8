#include "server/listeners.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "net/listener.h"
#include "support/errors.h"
#include "unit/server/server_fixture.h"

namespace sse::server {
namespace {

using event::Json;
using ::testing::AllOf;
using testing::Client;
using ::testing::ElementsAre;
using testing::error_of;
using testing::eventually;
using ::testing::HasSubstr;
using testing::OpenStream;
using testing::Response;
using ::testing::StartsWith;

class ListenersTest : public testing::ServerTest {
 protected:
  ListenersTest() { options_.also_listen = {"127.0.0.1:0", "unix:" + socket_}; }
  // The address of the only stream.
  std::string address_of_stream() const {
    const Json list = admin_get("/api/v1/connections");
    const Json& rows = list.at("list");
    return rows.size() == 1 ? rows[0].value("requestIp", "none") : std::to_string(rows.size()) + " streams";
  }
  OpenStream opened(Client client, const std::string& before = "", const std::string& headers = "") const {
    OpenStream out{std::move(client), "", ""};
    out.client.send(before + "GET /my-sse/connect?userId=1 HTTP/1.1\r\nHost: example.org\r\n" + headers + "\r\n");
    finish_opening(out);
    return out;
  }
  Response first_answer(const std::string& bytes) const {
    Client peer = client();
    peer.send(bytes);
    return peer.response();
  }

  const std::string socket_ = folder_.file("web.sock");
};

TEST_F(ListenersTest, ServeTheSamePagesAndStreams) {
  start();
  const std::vector<std::string> urls = server_->urls();
  ASSERT_THAT(urls, ElementsAre(StartsWith("http://127.0.0.1:"), StartsWith("http://127.0.0.1:"), "unix:" + socket_));
  EXPECT_EQ(server_->url(), urls[0]);
  const int second = std::atoi(urls[1].c_str() + urls[1].rfind(':') + 1);
  EXPECT_NE(second, port());
  EXPECT_EQ(Client::tcp(second).get("/my-sse").status, 200);
  OpenStream tcp = opened(Client::tcp(second));
  OpenStream local = opened(Client::unix_socket(socket_));
  EXPECT_TRUE(eventually([&] { return server_->open_streams() == 2; }));
  server_->sender().send({.target = Target::all(), .event = "x", .data = "hello"});
  EXPECT_TRUE(tcp.client.receive_until("data:hello"));
  EXPECT_TRUE(local.client.receive_until("data:hello"));
  tcp.client.close();
  local.client.close();
  server_->stop();
  server_.reset();
  EXPECT_NE(::access(socket_.c_str(), F_OK), 0);
  EXPECT_THROW(Client::tcp(second), std::runtime_error);
}

TEST_F(ListenersTest, NameTheServerByItsPortOrItsSocket) {
  options_.server_id.clear();
  options_.listen = "unix:" + socket_;
  options_.also_listen.clear();
  start();
  EXPECT_EQ(server_->url(), "unix:" + socket_);
  EXPECT_THAT(server_->server_id(), HasSubstr(":" + socket_));
}

TEST_F(ListenersTest, TrustAProxyOnAUnixSocketOnlyWhenTold) {
  options_.trusted_proxies = {"unix"};
  start();
  const OpenStream local = opened(Client::unix_socket(socket_), "", "X-Forwarded-For: 203.0.113.7\r\n");
  EXPECT_EQ(address_of_stream(), "203.0.113.7");
}

TEST_F(ListenersTest, TakeOverSocketsThatListenAlready) {
  auto manager = std::make_unique<net::Listener>(net::ListenAddress::parse("127.0.0.1:0"), "--listen");
  options_.listen = manager->address().str();
  options_.also_listen.clear();
  options_.open_sockets[options_.listen] = ::dup(manager->fd());
  start();
  EXPECT_EQ(port(), manager->address().port);
  EXPECT_EQ(client().get("/my-sse").status, 200);
  server_->stop();
  server_.reset();
  // Not refused: the next server finds it.
  Client waiting = Client::tcp(manager->address().port);
  options_.open_sockets[options_.listen] = ::dup(manager->fd());
  start();
  EXPECT_EQ(waiting.get("/my-sse").status, 200);
}

TEST_F(ListenersTest, TakeTheClientFromTheHeaderOfATrustedProxy) {
  options_.proxy_protocol = true;
  options_.trusted_proxies = {"127.0.0.1"};
  options_.max_connections_per_ip = 1;
  start();
  OpenStream first = opened(client(), "PROXY TCP4 203.0.113.7 192.0.2.1 51234 80\r\n", "X-Forwarded-For: 6.6.6.6\r\n");
  // The client's own header: it is no proxy.
  EXPECT_EQ(address_of_stream(), "203.0.113.7");
  const std::string same = "PROXY TCP4 203.0.113.7 192.0.2.1 51235 80\r\nGET /my-sse HTTP/1.1\r\nHost: h\r\n\r\n";
  const Response refused = first_answer(same);
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.body, HasSubstr("--max-connections-per-ip"));
  EXPECT_EQ(first_answer("PROXY TCP4 203.0.113.8 192.0.2.1 1 80\r\nGET /my-sse HTTP/1.1\r\nHost: h\r\n\r\n").status,
            200);
  first.client.close();
  EXPECT_TRUE(eventually([&] { return first_answer(same).status == 200; }));
}

TEST_F(ListenersTest, AnswerATrustedProxyThatSendsNoHeader) {
  options_.proxy_protocol = true;
  options_.trusted_proxies = {"127.0.0.1", "unix"};
  start();
  const Response plain = first_answer("GET /my-sse HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(plain.status, 400);
  EXPECT_THAT(plain.body, AllOf(HasSubstr("PROXY protocol"), HasSubstr("--proxy-protocol")));
  EXPECT_EQ(Client::unix_socket(socket_).get("/my-sse").status, 400);
  Client local = Client::unix_socket(socket_);
  local.send("PROXY UNKNOWN\r\n");
  EXPECT_EQ(local.get("/my-sse").status, 200);
}

TEST_F(ListenersTest, RefuseTheHeaderOfAStranger) {
  options_.proxy_protocol = true;
  options_.trusted_proxies = {"10.0.0.1"};
  start();
  const Response answer =
      first_answer("PROXY TCP4 203.0.113.7 192.0.2.1 1 2\r\nGET /my-sse HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, HasSubstr("--trusted-proxy"));
  EXPECT_EQ(client().get("/my-sse").status, 200);
}

TEST_F(ListenersTest, ReadAHeaderThatComesByteByByte) {
  options_.proxy_protocol = true;
  options_.trusted_proxies = {"127.0.0.1"};
  start();
  Client slow = client();
  for (const char c : std::string("PROXY TCP4 203.0.113.9 192.0.2.1 1 2\r\n")) ASSERT_TRUE(slow.send({&c, 1}));
  EXPECT_EQ(slow.get("/my-sse").status, 200);
}

TEST(ListenerOptions, AreRefusedWhereTheyContradict) {
  const auto refusal = [](const auto& change) {
    ServerOptions options;
    options.listen = "127.0.0.1:8080";
    change(options);
    return std::string(error_of([&] { check(options); }).what());
  };
  EXPECT_THAT(refusal([](auto& options) { options.also_listen = {"127.0.0.1:8080"}; }), HasSubstr("given twice"));
  EXPECT_THAT(refusal([](auto& options) {
                options.also_listen = {"unix:/run/x.sock"};
                options.admin = "unix:/run/x.sock";
              }),
              HasSubstr("--admin"));
  EXPECT_THAT(refusal([](auto& options) { options.also_listen = {"nonsense"}; }), HasSubstr("nonsense"));
  EXPECT_THAT(refusal([](auto& options) { options.listen_socket_mode = 0060; }), HasSubstr("--listen-socket-mode"));
  EXPECT_THAT(refusal([](auto& options) { options.admin_socket_mode = 01777; }), HasSubstr("--admin-socket-mode"));
  EXPECT_THAT(refusal([](auto& options) {
                options.admin = "127.0.0.1:9";
                options.admin_token_file = "/t";
                options.admin_socket_group = "staff";
              }),
              HasSubstr("--admin-socket-group"));
  EXPECT_THAT(refusal([](auto& options) { options.proxy_protocol = true; }), HasSubstr("--trusted-proxy"));
}

}  // namespace
}  // namespace sse::server
