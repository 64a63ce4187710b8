#include <gtest/gtest.h>
#include <sys/socket.h>

#include <thread>

#include "support/client.h"
#include "support/process.h"
#include "support/streams.h"

namespace sse::testing {
namespace {

struct Broken {
  std::string name;
  std::string bytes;
  int status;  // 0: closed without an answer
};

std::string request(const std::string& head, const std::string& body = "") {
  return head + "\r\nHost: localhost\r\n\r\n" + body;
}

std::vector<Broken> broken_requests() {
  const std::string post = "POST /my-sse/connect/message/hello.do HTTP/1.1\r\nHost: localhost\r\n";
  const std::string get = "GET /my-sse HTTP/1.1\r\nHost: localhost\r\n";
  std::string many_fields = get;
  for (int i = 0; i < 101; ++i) many_fields += "X-" + std::to_string(i) + ": 1\r\n";
  return {
      {"Garbage", std::string("\x16\x03\x01\x02\x00\x01\x00\x01", 8), 400},
      {"RequestLineOfOneWord", "GET\r\n\r\n", 400},
      {"RequestLineWithoutVersion", "GET /\r\nHost: localhost\r\n\r\n", 400},
      {"ControlCharacterInTarget", request("GET /\x01 HTTP/1.1"), 400},
      {"TwoSpacesInRequestLine", request("GET  / HTTP/1.1"), 400},
      {"RelativeTarget", request("GET my-sse HTTP/1.1"), 400},
      {"UnknownMethod", request("BREW / HTTP/1.1"), 501},
      {"UnknownVersion", request("GET / HTTP/3.0"), 505},
      {"MalformedVersion", request("GET / HTTQ/1.1"), 400},
      {"BareLf", "GET /my-sse HTTP/1.1\nHost: localhost\n\n", 400},
      {"BareLfInHeaders", "GET /my-sse HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n", 400},
      {"BareCr", "GET /my-sse HTTP/1.1\r\nHost: localhost\rX: y\r\n\r\n", 400},
      {"NoHost", "GET /my-sse HTTP/1.1\r\n\r\n", 400},
      {"TwoHosts", get + "Host: b\r\n\r\n", 400},
      {"FoldedHeader", get + "X: a\r\n b\r\n\r\n", 400},
      {"SpaceBeforeColon", get + "X : a\r\n\r\n", 400},
      {"HeaderWithoutColon", get + "nonsense\r\n\r\n", 400},
      {"NulInHeader", get + std::string("X: a\0b\r\n\r\n", 10), 400},
      {"ContentLengthWithTransferEncoding", post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       400},
      {"DoubledContentLength", post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", 400},
      {"ListOfContentLengths", post + "Content-Length: 2, 2\r\n\r\n{}", 400},
      {"NegativeContentLength", post + "Content-Length: -1\r\n\r\n", 400},
      {"SignedContentLength", post + "Content-Length: +2\r\n\r\n{}", 400},
      {"HexadecimalContentLength", post + "Content-Length: 0x2\r\n\r\n{}", 400},
      {"HugeContentLength", post + "Content-Length: 99999999999999999999\r\n\r\n", 400},
      {"ContentLengthOverTheLimit", post + "Content-Length: 999999999\r\n\r\n", 413},
      {"UnknownTransferCoding", post + "Transfer-Encoding: gzip\r\n\r\n", 501},
      {"BadChunkSize", post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
      {"HugeChunk", post + "Transfer-Encoding: chunked\r\n\r\nffffffff\r\n", 413},
      {"BodyPastItsChunk", post + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n0\r\n\r\n", 400},
      {"HeadOf17KiB", get + "X: " + std::string(17 * 1024, 'x') + "\r\n\r\n", 431},
      {"EndlessHead", "GET /my-sse HTTP/1.1\r\nX: " + std::string(40 * 1024, 'x'), 431},
      {"TooManyFields", many_fields + "\r\n", 431},
      {"LongTarget", request("GET /" + std::string(9000, 'a') + " HTTP/1.1"), 414},
      {"LongPath", request("GET /" + std::string(2000, 'a') + " HTTP/1.1"), 414},
      {"UnknownExpectation", post + "Expect: miracles\r\nContent-Length: 2\r\n\r\n{}", 417},
  };
}

// A page that goes about its business while others misbehave.
class BrokenClients : public ::testing::Test {
 protected:
  BrokenClients() : stream_(streams_.connect("userId=good")) {}

  void expect_the_healthy_go_on() {
    const std::size_t before = streams_.events();
    const HttpResponse sent = admin_.post("/api/v1/send", {{"target", {{"users", {"good"}}}}, {"data", "still here"}});
    ASSERT_EQ(sent.status, 200) << sent.body;
    ASSERT_EQ(sent.json()["delivered"], 1);
    ASSERT_TRUE(streams_.run_until([&] { return streams_.events() == before + 1; }));
    const HttpResponse answer = page_.post(
        "/my-sse/connect/message/hello.do?userId=good&connectionId=" + streams_[stream_].connection_id, {{"a", 1}});
    ASSERT_EQ(answer.status, 200) << answer.body;
    ASSERT_EQ(answer.json()["data"]["received"]["a"], 1);
  }
  UniqueFd connection() { return connect_to(server_.pages()); }

  const TempFolder folder_;
  ServerProcess server_{folder_};
  HttpClient admin_{server_.admin()};
  HttpClient page_{server_.pages()};
  Streams streams_{server_.pages()};
  const std::size_t stream_;
};

TEST_F(BrokenClients, MalformedRequestsGetTheirStatusAndAreCutOff) {
  for (const Broken& broken : broken_requests()) {
    SCOPED_TRACE(broken.name);
    const UniqueFd fd = connection();
    write_all(fd.get(), broken.bytes);
    bool ended = false;
    std::string answer = read_to_end(fd.get(), &ended);
    EXPECT_TRUE(ended) << "the connection stays open after: " << answer;
    const HttpResponse response = take_response(answer);
    EXPECT_EQ(response.status, broken.status);
    // One sentence, and nothing after it: what followed the broken request was not taken for another one.
    EXPECT_GT(response.body.size(), 10U);
    EXPECT_EQ(answer, "");
    ASSERT_NO_FATAL_FAILURE(expect_the_healthy_go_on());
  }
  const std::string metrics = admin_.get("/metrics").body;
  EXPECT_NE(
      metrics.find("sse_http_bad_requests_total{listener=\"public\"} " + std::to_string(broken_requests().size())),
      std::string::npos)
      << metrics;
}

TEST_F(BrokenClients, AbsurdButLegalRequestsAreAnswered) {
  const std::string big_body(9 * 1024 * 1024, 'x');
  const std::string id = "?userId=good&connectionId=" + streams_[stream_].connection_id;
  EXPECT_EQ(page_.request("POST", "/my-sse/connect/message/a.do" + id, big_body).status, 413);
  EXPECT_EQ(page_.request("POST", "/my-sse/connect/message/a.do" + id, "{not json").status, 400);
  EXPECT_EQ(page_.request("POST", "/my-sse/connect/message/a.do" + id, "[]").status, 400);
  EXPECT_EQ(page_.request("POST", "/my-sse/connect/message/a.do" + id, std::string(100'000, '[')).status, 400);
  EXPECT_EQ(page_.request("DELETE", "/my-sse").status, 405);
  EXPECT_EQ(page_.get("/%2e%2e/%2e%2e/etc/passwd").status, 404);
  EXPECT_EQ(page_.get("/my-sse/connect?keepaliveTime=soon").status, 400);
  EXPECT_EQ(page_.get("/my-sse/connect?userId=%ff").status, 400);
  EXPECT_EQ(page_.get("/my-sse/connect?userId=" + std::string(3000, 'u')).status, 400);
  ASSERT_NO_FATAL_FAILURE(expect_the_healthy_go_on());
}

TEST_F(BrokenClients, ConnectionOfAnotherUserDoesNotExist) {
  const std::string id = streams_[stream_].connection_id;
  for (const std::string& wrong : {"?userId=evil&connectionId=" + id, std::string("?userId=good&connectionId=12345"),
                                   std::string("?userId=good&connectionId=x"), std::string("?userId=good")}) {
    const HttpResponse answer = page_.post("/my-sse/connect/message/close.do" + wrong, Json::object());
    EXPECT_EQ(answer.status, 404) << wrong;
    EXPECT_NE(answer.body.find("connectionId not exist"), std::string::npos) << answer.body;
  }
  const HttpResponse listening =
      page_.post("/my-sse/connect/addListener.do?userId=evil", {{"connectionId", id}, {"listener", {"secret"}}});
  EXPECT_EQ(listening.json()["data"]["error"], "connectionId not exist");
  const HttpResponse goodbye = page_.request("POST", "/my-sse/connect/disconnect.do?userId=evil", "connectionId=" + id,
                                             "application/x-www-form-urlencoded");
  EXPECT_EQ(goodbye.json()["data"]["count"], 0);
  EXPECT_FALSE(streams_[stream_].ended);
  ASSERT_NO_FATAL_FAILURE(expect_the_healthy_go_on());
}

TEST_F(BrokenClients, SlowHeadsAndBodiesAreGivenUpOn) {
  const UniqueFd silent = connection();
  const UniqueFd half_a_head = connection();
  write_all(half_a_head.get(), "GET /my-sse HTTP/1.1\r\nHo");
  const UniqueFd dribble = connection();
  std::vector<UniqueFd> herd;
  for (int i = 0; i < 100; ++i) {
    herd.push_back(connection());
    write_all(herd.back().get(), "GET /my-sse/connect HTTP/1.1\r\nX-Slow: ");
  }
  bool ended = false;
  std::string said;
  // A byte now and then does not buy more time: the clock began with the first one.
  const auto begin = std::chrono::steady_clock::now();
  write_all(dribble.get(), "GET /my-sse HTTP/1.1\r\nX: ");
  while (!ended && std::chrono::steady_clock::now() - begin < kTimeout) {
    write_all(dribble.get(), "x");
    said += read_to_end(dribble.get(), &ended, std::chrono::milliseconds(200));
    ASSERT_NO_FATAL_FAILURE(expect_the_healthy_go_on());
  }
  EXPECT_TRUE(ended);
  EXPECT_EQ(take_response(said).status, 408) << said;
  said = read_to_end(half_a_head.get(), &ended);
  EXPECT_EQ(take_response(said).status, 408) << said;
  for (const UniqueFd& fd : herd) {
    said = read_to_end(fd.get(), &ended);
    EXPECT_EQ(take_response(said).status, 408) << said;
  }
  std::string nothing;
  EXPECT_EQ(read_some(silent.get(), nothing, std::chrono::steady_clock::now()), -1)
      << "an idle keep-alive connection may stay";
  ASSERT_NO_FATAL_FAILURE(expect_the_healthy_go_on());
}

TEST_F(BrokenClients, ABodyThatDoesNotComeIsGivenUpOn) {
  const UniqueFd fd = connection();
  write_all(fd.get(), "POST /my-sse/connect/message/a.do HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{");
  ASSERT_NO_FATAL_FAILURE(expect_the_healthy_go_on());
  std::string said = read_to_end(fd.get());
  EXPECT_EQ(take_response(said).status, 408) << said;
  ASSERT_NO_FATAL_FAILURE(expect_the_healthy_go_on());
}

TEST_F(BrokenClients, ConnectionsThatVanishLeaveNothingBehind) {
  const auto connections = [&] { return admin_.get("/api/v1/status").json()["connections"].get<int>(); };
  for (int i = 0; i < 20; ++i) {
    UniqueFd fd = connection();
    write_all(fd.get(), "GET /my-sse/connect?userId=gone HTTP/1.1\r\nHost: localhost\r\n\r\n");
    if (i % 2 == 0) {
      read_until(fd.get(), [](const std::string& text) { return text.find("\n\n") != std::string::npos; });
    }
    // Reset, half-closed, or just closed; some before the answer.
    if (i % 3 == 0) reset_on_close(fd.get());
    if (i % 3 == 1) ::shutdown(fd.get(), SHUT_WR);
    fd.reset();
  }
  for (int i = 0; i < 20; ++i) {
    UniqueFd fd = connection();
    write_all(fd.get(), "POST /my-sse/connect/message/a.do HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{");
    if (i % 2 == 0) reset_on_close(fd.get());
  }
  EXPECT_TRUE(eventually([&] { return connections() == 1; })) << connections();
  ASSERT_NO_FATAL_FAILURE(expect_the_healthy_go_on());
}

TEST_F(BrokenClients, PipelinedRequestsAreAnsweredInOrder) {
  const UniqueFd fd = connection();
  const std::string get = "GET /my-sse/sse.js HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const std::string post =
      "POST /my-sse/connect/disconnect.do HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
      "application/x-www-form-urlencoded\r\n"
      "Content-Length: 14\r\n\r\nconnectionId=1";
  const std::string with_body =
      "GET /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nConnection: close\r\n\r\nGET /";
  write_all(fd.get(), get + post + with_body);
  std::string answers = read_to_end(fd.get());
  EXPECT_EQ(take_response(answers).status, 200);
  EXPECT_EQ(take_response(answers).json()["data"]["count"], 0);
  EXPECT_EQ(take_response(answers).status, 404);
  EXPECT_EQ(answers, "");
}

TEST_F(BrokenClients, AStreamsClientMayTalkWithoutBeingHeard) {
  const UniqueFd fd = connection();
  write_all(fd.get(),
            "GET /my-sse/connect?userId=chatty HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  std::string said = read_until(fd.get(), [](const std::string& t) { return t.find("\n\n") != std::string::npos; });
  EXPECT_NE(said.find("connect-finish"), std::string::npos) << said;
  for (int i = 0; i < 100; ++i) write_all(fd.get(), std::string(10'000, 'z'));
  ASSERT_EQ(admin_.post("/api/v1/send", {{"target", {{"users", {"chatty"}}}}, {"data", "heard"}}).json()["delivered"],
            1);
  said = read_until(fd.get(), [](const std::string& t) { return t.find("data:heard\n") != std::string::npos; });
  EXPECT_EQ(said.find("HTTP/1.1"), std::string::npos) << "the stream holds another answer: " << said;
  ASSERT_NO_FATAL_FAILURE(expect_the_healthy_go_on());
}

}  // namespace
}  // namespace sse::testing
