#include "api/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <string>
#include <thread>

#include "base/error.h"
#include "base/fd.h"
#include "support/errors.h"
#include "support/files.h"
#include "support/http_server.h"

namespace sse::api {
namespace {

using std::chrono::milliseconds;
using testing::error_of;
using ::testing::HasSubstr;
using testing::HttpServer;
using testing::TempFolder;

ClientOptions options(std::string address, std::string token = "") {
  return {std::move(address), std::move(token), std::chrono::seconds(30)};
}

UniqueFd bind_unix(const std::string& path) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.c_str(), path.size() + 1);
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&name), sizeof(name)), 0);
  return fd;
}

TEST(Client, SendsOverAUnixSocket) {
  const TempFolder folder;
  HttpServer server(folder.file("admin.sock"));
  std::string body, type, host, authorization;
  server.http().Post("/api/v1/send", [&](const httplib::Request& request, httplib::Response& response) {
    body = request.body;
    type = request.get_header_value("Content-Type");
    host = request.get_header_value("Host");
    authorization = request.get_header_value("Authorization");
    response.set_content(R"({"id":"12","delivered":1,"pending":0,"recipients":[]})", "application/json");
  });
  Client client(options(server.start()));
  SendRequest request;
  request.target = event::Target::user(UserId("1"));
  request.data = "hi";
  const Json answer = client.send(request);
  server.stop();
  EXPECT_EQ(send_result_from_json(answer).id, MessageId(12));
  EXPECT_EQ(Json::parse(body), Json::parse(R"({"target":{"users":["1"]},"event":"server-push","data":"hi"})"));
  EXPECT_EQ(type, "application/json");
  EXPECT_EQ(host, "localhost");
  EXPECT_EQ(authorization, "");
}

TEST(Client, ShowsItsTokenOverTcp) {
  HttpServer server;
  std::string authorization;
  server.http().Get("/api/v1/status", [&](const httplib::Request& request, httplib::Response& response) {
    authorization = request.get_header_value("Authorization");
    response.set_content(R"({"state":"ready"})", "application/json; charset=utf-8");
  });
  Client client(options(server.start(), "s3cret"));
  EXPECT_EQ(client.status()["state"], "ready");
  server.stop();
  EXPECT_EQ(authorization, "Bearer s3cret");
}

TEST(Client, EncodesWhatItAsksFor) {
  HttpServer server;
  httplib::Params params;
  server.http().Get("/api/v1/connections", [&](const httplib::Request& request, httplib::Response& response) {
    params = request.params;
    response.set_content(R"({"total":0,"pageNum":2,"pageSize":7,"list":[]})", "application/json");
  });
  ConnectionQuery query;
  query.user = "a&b=c d+ü%";
  query.service = ServiceName("hr");
  Client client(options(server.start()));
  client.list_connections(query, {2, 7});
  server.stop();
  const httplib::Params expected{{"user", "a&b=c d+ü%"}, {"service", "hr"}, {"pageNum", "2"}, {"pageSize", "7"}};
  EXPECT_EQ(params, expected);
}

TEST(Client, DeletesWithoutABody) {
  HttpServer server;
  server.http().Delete("/api/v1/messages/5", [&](const httplib::Request&, httplib::Response& response) {
    response.set_content(R"({"deleted":3})", "application/json");
  });
  Client client(options(server.start()));
  EXPECT_EQ(client.delete_message(MessageId(5))["deleted"], 3);
}

TEST(Client, ThrowsWhatAProblemDocumentSays) {
  HttpServer server;
  server.http().Get("/api/v1/messages/5", [](const httplib::Request&, httplib::Response& response) {
    response.status = 404;
    response.set_content(
        R"({"type":"about:blank","title":"Not Found","status":404,"code":"not_found","detail":"no message 5 is pending"})",
        "application/problem+json");
  });
  Client client(options(server.start()));
  const Error error = error_of([&] { client.show_message(MessageId(5)); });
  EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  EXPECT_STREQ(error.what(), "no message 5 is pending");
}

TEST(Client, FallsBackToTheStatusForACodeItDoesNotKnow) {
  HttpServer server;
  server.http().Get("/api/v1/status", [](const httplib::Request&, httplib::Response& response) {
    response.status = 403;
    response.set_content(R"({"title":"Forbidden","status":403,"code":"from_the_future"})", "application/problem+json");
  });
  Client client(options(server.start()));
  const Error error = error_of([&] { client.status(); });
  EXPECT_EQ(error.code(), ErrorCode::kPermissionDenied);
  EXPECT_STREQ(error.what(), "Forbidden");
}

TEST(Client, TellsAnotherKindOfServerFromOurs) {
  HttpServer server;
  server.http().Get("/api/v1/status", [](const httplib::Request&, httplib::Response& response) {
    response.status = 404;
    response.set_content("<h1>no</h1>", "text/html");
  });
  server.http().Get("/api/v1/messages/1", [](const httplib::Request&, httplib::Response& response) {
    response.set_content("[1,", "application/json");
  });
  server.http().Get("/api/v1/messages/2", [](const httplib::Request&, httplib::Response& response) {
    response.set_content("[1]", "application/json");
  });
  Client client(options(server.start()));
  const Error html = error_of([&] { client.status(); });
  EXPECT_EQ(html.code(), ErrorCode::kUnavailable);
  EXPECT_THAT(html.what(), HasSubstr("404"));
  EXPECT_THAT(html.what(), HasSubstr("--server"));
  EXPECT_EQ(error_of([&] { client.show_message(MessageId(1)); }).code(), ErrorCode::kUnavailable);
  EXPECT_EQ(error_of([&] { client.show_message(MessageId(2)); }).code(), ErrorCode::kUnavailable);
}

TEST(Client, SaysThatNoSocketIsThere) {
  const TempFolder folder;
  const std::string address = "unix:" + (folder.file("admin.sock"));
  Client client(options(address));
  const Error error = error_of([&] { client.status(); });
  EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
  EXPECT_EQ(error.what(), "cannot reach sse-serve at " + address +
                              ": No such file or directory; is it running? start it with 'sse-serve' or name another "
                              "with --server");
}

TEST(Client, SaysThatASocketIsStale) {
  const TempFolder folder;
  bind_unix(folder.file("admin.sock")).reset();
  Client client(options("unix:" + (folder.file("admin.sock"))));
  const Error error = error_of([&] { client.status(); });
  EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
  EXPECT_THAT(error.what(), HasSubstr("Connection refused"));
}

TEST(Client, SaysThatAPortIsClosed) {
  // Bound but not listening: no other process can take the port, and connecting is refused.
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(name);
  ASSERT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&name), size), 0);
  ASSERT_EQ(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&name), &size), 0);
  Client client(options("http://127.0.0.1:" + std::to_string(ntohs(name.sin_port))));
  const Error error = error_of([&] { client.status(); });
  EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
  EXPECT_THAT(error.what(), HasSubstr("Connection refused"));
}

TEST(Client, GivesUpOnASilentServer) {
  const TempFolder folder;
  const UniqueFd silent = bind_unix(folder.file("admin.sock"));
  ASSERT_EQ(listen(silent.get(), 8), 0);
  Client client({"unix:" + (folder.file("admin.sock")), "", milliseconds(50)});
  const Error error = error_of([&] { client.status(); });
  EXPECT_EQ(error.code(), ErrorCode::kTimeout);
  EXPECT_THAT(error.what(), HasSubstr("within 50ms"));
}

TEST(Client, GivesUpOnAServerThatDripsItsAnswer) {
  HttpServer server;
  server.http().Get("/api/v1/status", [](const httplib::Request&, httplib::Response& response) {
    response.set_chunked_content_provider("application/json", [](std::size_t, httplib::DataSink& sink) {
      // What drips must come slower than the client reads; its time-out is the library's, by real time.
      std::this_thread::sleep_for(milliseconds(5));
      return sink.write(" ", 1);
    });
  });
  Client client({server.start(), "", milliseconds(200)});
  EXPECT_EQ(error_of([&] { client.status(); }).code(), ErrorCode::kTimeout);
}

TEST(Client, SaysThatTheServerHungUp) {
  const TempFolder folder;
  const UniqueFd listener = bind_unix(folder.file("admin.sock"));
  ASSERT_EQ(listen(listener.get(), 8), 0);
  std::thread server([&] {
    const UniqueFd peer(accept(listener.get(), nullptr, nullptr));
    char buffer[4096];
    EXPECT_GT(read(peer.get(), buffer, sizeof(buffer)), 0);
  });
  Client client(options("unix:" + (folder.file("admin.sock"))));
  const Error error = error_of([&] { client.status(); });
  server.join();
  EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
  EXPECT_THAT(error.what(), HasSubstr("closed the connection before it answered"));
}

TEST(Client, RefusesATokenThatNoHeaderCanCarry) {
  EXPECT_EQ(error_of([] { Client(options("http://127.0.0.1:1", "a\r\nX: y")); }).code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace sse::api
