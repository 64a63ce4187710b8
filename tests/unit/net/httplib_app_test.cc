#include "net/httplib_app.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "unit/net/loopback.h"

namespace sse::net {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const Peer kPeer{"127.0.0.1", 1};

struct Name final : Admission {
  explicit Name(std::string text) : name(std::move(text)) {}
  std::string name;
};

std::string get(const std::string& target) {
  return "GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n";
}

std::string parts(const std::string& target, const std::string& body) {
  return "POST " + target +
         " HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string text_of(const MultipartBody* body) {
  std::string text;
  if (body != nullptr) body->read([&](std::string_view piece) { text.append(piece); });
  return text;
}

TEST(HttplibApp, GivesAHandlerTheAdmissionAndTheBodyOfItsOwnRequestAlsoAfterOneInside) {
  HttplibApp app;
  std::string seen;
  app.Post("/inner", [&](const httplib::Request& req, httplib::Response&) {
    EXPECT_EQ(HttplibApp::admission(req), nullptr);
    seen += text_of(HttplibApp::multipart_body(req)) + ";";
  });
  app.Post("/outer", [&](const httplib::Request& req, httplib::Response&) {
    app.process_locally(parts("/inner", "inner"), kPeer, true);
    const auto* name = dynamic_cast<const Name*>(HttplibApp::admission(req));
    ASSERT_NE(name, nullptr);
    seen += name->name + " " + text_of(HttplibApp::multipart_body(req));
  });
  const Name name("someone");
  RequestExtras extras;
  extras.admission = &name;
  EXPECT_THAT(app.process(parts("/outer", "outer"), kPeer, true, extras).bytes, StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(seen, "inner;someone outer");
}

TEST(HttplibApp, HasNeitherAdmissionNorBodyForARequestFromElsewhere) {
  const httplib::Request strange;
  EXPECT_EQ(HttplibApp::admission(strange), nullptr);
  EXPECT_EQ(HttplibApp::multipart_body(strange), nullptr);
}

TEST(HttplibApp, HandsOverTheSocketTheHeadAndTheTicket) {
  HttplibApp app;
  HandedOverConnection taken;
  app.Get("/stream", [&](const httplib::Request& req, httplib::Response& res) {
    HttplibApp::hand_over(req, res, "text/event-stream",
                          [&](HandedOverConnection connection) { taken = std::move(connection); });
  });
  Reply reply = app.process(get("/stream"), kPeer, true);
  ASSERT_TRUE(reply.hand_over);
  EXPECT_FALSE(reply.keep_alive);
  EXPECT_THAT(reply.bytes, HasSubstr("\r\nContent-Type: text/event-stream\r\n"));
  EXPECT_THAT(reply.bytes, EndsWith("\r\n\r\n"));
  const auto limiter = std::make_shared<AddressLimiter>(1);
  std::unique_ptr<AddressLimiter::Ticket> ticket;
  ASSERT_TRUE(limiter->admit("192.0.2.1", ticket));
  testing::TcpPair pair = testing::tcp_pair();
  reply.hand_over({std::move(pair.server), {std::move(reply.bytes), true}, std::move(ticket)});
  EXPECT_TRUE(taken.socket.valid());
  EXPECT_TRUE(taken.head.chunked);
  EXPECT_FALSE(limiter->admit("192.0.2.1", ticket)) << "the stream has the place of its connection";
  taken = {};
  EXPECT_TRUE(limiter->admit("192.0.2.1", ticket));
}

TEST(HttplibApp, HandsNothingOverForHead) {
  HttplibApp app;
  app.Get("/stream", [&](const httplib::Request& req, httplib::Response& res) {
    HttplibApp::hand_over(req, res, "text/event-stream", [](HandedOverConnection) {});
  });
  EXPECT_FALSE(app.process("HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n", kPeer, true).hand_over);
}

}  // namespace
}  // namespace sse::net
