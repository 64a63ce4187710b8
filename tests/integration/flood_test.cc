// What strangers can make the server hold: floods of requests by clients that have shown nothing of who they are, while
// a neighbour's stream has to go on getting its events. Memory is bounded here, time is not: the machine may be busy.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/client.h"
#include "support/nacos.h"
#include "support/process.h"
#include "support/streams.h"

namespace sse::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::size_t kMebibyte = std::size_t{1024} * 1024;
constexpr const char* kToken = "a-token-of-sufficient-length-0123456789";

// Sends as much of a head and a body as is taken from it, and reads what comes.
class Pusher {
 public:
  /// `body` outlives it.
  Pusher(const Endpoint& endpoint, const std::string& target, std::string_view body, const std::string& headers = "",
         const ConnectOptions& options = {})
      : fd_(connect_to(endpoint, options)),
        head_("POST " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers +
              "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n"),
        body_(body) {
    ::fcntl(fd_.get(), F_SETFL, ::fcntl(fd_.get(), F_GETFL) | O_NONBLOCK);
  }

  /// What can be done now; false once the connection has ended.
  bool push() {
    while (!ended_) {
      char buffer[16384];
      const ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
      if (n < 0 && errno == EAGAIN) break;
      ended_ = n <= 0;
      if (n > 0) answer_.append(buffer, static_cast<std::size_t>(n));
    }
    while (!ended_ && !broken_ && sent_ < head_.size() + body_.size()) {
      const std::string_view rest =
          sent_ < head_.size() ? std::string_view(head_).substr(sent_) : body_.substr(sent_ - head_.size());
      const ssize_t n = ::send(fd_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (n < 0) {
        broken_ = errno != EAGAIN;
        break;
      }
      sent_ += static_cast<std::size_t>(n);
    }
    return !ended_;
  }
  const std::string& answer() const { return answer_; }
  std::size_t sent() const { return sent_; }

 private:
  const UniqueFd fd_;
  const std::string head_;
  const std::string_view body_;
  std::size_t sent_ = 0;
  std::string answer_;
  bool ended_ = false;
  bool broken_ = false;
};

std::string evil_multipart() {
  std::string body = "--b\r\nContent-Disposition: form-data; name=\"x\"";
  for (int i = 0; i < 640; ++i) body += "; filename=\"";
  return body + std::string(150'000 - body.size(), ' ');
}

// A server with a stream that must go on getting events whatever else goes on.
class FloodTest : public ::testing::Test {
 protected:
  void start(const std::vector<std::string>& options = {}) {
    server_ = std::make_unique<ServerProcess>(folder_, options);
    neighbour_ = std::make_unique<Streams>(server_->pages());
    ConnectOptions proxied;
    proxied.source = "127.0.0.9";
    proxied.headers = "X-Sse-User: neighbour\r\n";
    stream_ = neighbour_->connect("userId=neighbour", proxied);
    // What the first of everything takes.
    expect_event();
    before_ = server_->peak_memory();
  }
  std::string secret_file() const {
    const std::string path = folder_.file("secret");
    std::ofstream(path) << kToken << "\n";
    ::chmod(path.c_str(), 0600);
    return path;
  }
  void flood(std::size_t count, const Endpoint& endpoint, const std::string& target, std::string_view body,
             const std::string& headers = "") {
    for (std::size_t i = 0; i < count; ++i)
      pushers_.push_back(std::make_unique<Pusher>(endpoint, target, body, headers));
  }
  void expect_event() {
    const std::size_t had = neighbour_->events();
    Pusher sender(
        server_->admin(), "/api/v1/send", kSend,
        "Connection: close\r\nContent-Type: application/json\r\nAuthorization: Bearer " + std::string(kToken) + "\r\n");
    ASSERT_TRUE(neighbour_->run_until([&] {
      sender.push();
      return neighbour_->events() > had;
    })) << "the neighbour gets nothing: "
        << sender.answer();
    EXPECT_FALSE((*neighbour_)[stream_].ended);
  }
  // Until every one has its answer and the end of its connection; meanwhile the neighbour gets events.
  void push_all() {
    const auto deadline = std::chrono::steady_clock::now() + kTimeout;
    for (bool going = true; going; nap()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      going = false;
      for (const auto& one : pushers_) going = one->push() || going;
      ASSERT_NO_FATAL_FAILURE(expect_event());
    }
  }
  void expect_answers(const std::string& start) {
    std::size_t sent = 0;
    for (const auto& one : pushers_) {
      EXPECT_THAT(one->answer(), StartsWith(start));
      sent += one->sent();
    }
    std::printf("%zu answers, %.1f MiB taken from their senders by kernel and server\n", pushers_.size(),
                static_cast<double>(sent) / kMebibyte);
    pushers_.clear();
  }
  // In all, since start().
  void expect_growth_below(std::size_t mebibytes) {
    const double growth = static_cast<double>(server_->peak_memory() - before_) / kMebibyte;
    std::printf("memory grew from %.1f MiB by %.1f MiB at most; allowed are %zu MiB\n",
                static_cast<double>(before_) / kMebibyte, growth, mebibytes);
    if (!kSanitized) {
      EXPECT_LT(growth, static_cast<double>(mebibytes));
    }
  }

  static constexpr const char* kSend = R"({"target":{"users":["neighbour"]},"data":"still here"})";
  TempFolder folder_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Streams> neighbour_;
  std::size_t stream_ = 0;
  std::size_t before_ = 0;
  std::vector<std::unique_ptr<Pusher>> pushers_;
};

// Twenty of these kept every page waiting for half a minute while cpp-httplib's regular expression looked at them.
TEST_F(FloodTest, MultipartBodiesNeverReachCppHttplib) {
  start();
  const std::string evil = evil_multipart();
  const std::string type = "Content-Type: multipart/form-data; boundary=b\r\n";
  const auto cpu = server_->cpu_time();
  flood(20, server_->pages(), "/nowhere", evil, type);
  ASSERT_NO_FATAL_FAILURE(push_all());
  expect_answers("HTTP/1.1 404 ");
  flood(20, server_->pages(), "/my-sse/connect/ack.do", evil, type);
  // cpp-httplib 0.11 decodes the values of headers.
  flood(20, server_->pages(), "/my-sse/connect/ack.do", evil, "Content-Type: m%75ltipart/form-data; boundary=b\r\n");
  flood(20, server_->admin(), "/api/v1/send", evil, type);
  ASSERT_NO_FATAL_FAILURE(push_all());
  expect_answers("HTTP/1.1 415 ");
  flood(20, server_->pages(), "/my-sse/connect/disconnect.do", evil, type);
  // Where one is taken: the head of a part has 1 KiB.
  flood(20, server_->pages(),
        "/my-sse/connect/upload/x.do?userId=neighbour&connectionId=" + (*neighbour_)[stream_].connection_id, evil,
        type + "Connection: close\r\n");
  ASSERT_NO_FATAL_FAILURE(push_all());
  expect_answers("HTTP/1.1 413 ");
  std::printf("server CPU for 120 of them, and what the neighbour got: %lld ms\n",
              static_cast<long long>((server_->cpu_time() - cpu).count()));
  expect_growth_below(32);
}

TEST_F(FloodTest, BodiesOfStrangersStayUnread) {
  start({"--auth", "header", "--trusted-proxy", "127.0.0.9"});
  const std::string body(8 * kMebibyte, 'x');
  flood(200, server_->pages(), "/my-sse/connect/addListener.do", body, "Content-Type: application/json\r\n");
  ASSERT_NO_FATAL_FAILURE(push_all());
  expect_answers("HTTP/1.1 401 ");
  flood(50, server_->pages(), "/my-sse/connect/upload/x.do?connectionId=1", body,
        "Content-Type: multipart/form-data; boundary=b\r\n");
  flood(50, server_->pages(), "/my-sse/connect", std::string_view(body).substr(0, 60'000), "Expect: 100-continue\r\n");
  ASSERT_NO_FATAL_FAILURE(push_all());
  expect_answers("HTTP/1.1 401 ");
  expect_growth_below(32);
}

TEST_F(FloodTest, BodiesForTheAdminApiWithoutItsTokenStayUnread) {
  start({"--admin", "127.0.0.1:0", "--admin-token-file", secret_file()});
  const std::string body(63 * kMebibyte, 'x');
  flood(12, server_->admin(), "/api/v1/send", body, "Content-Type: application/x-ndjson\r\n");
  flood(12, server_->admin(), "/api/v1/send", body, "Authorization: Bearer another\r\n");
  ASSERT_NO_FATAL_FAILURE(push_all());
  expect_answers("HTTP/1.1 401 ");
  expect_growth_below(32);
}

// With it, they wait on disk for the memory there is.
TEST_F(FloodTest, BodiesForTheAdminApiWaitForMemory) {
  start({"--admin", "127.0.0.1:0", "--admin-token-file", secret_file(), "--max-body-memory", "8MiB", "--upload-dir",
         folder_.file("")});
  const std::string body(30 * kMebibyte, 'x');
  flood(12, server_->admin(), "/api/v1/send", body,
        "Content-Type: application/json\r\nConnection: close\r\nAuthorization: Bearer " + std::string(kToken) + "\r\n");
  ASSERT_NO_FATAL_FAILURE(push_all());
  expect_answers("HTTP/1.1 400 ");
  // Of 360 MiB two at a time; cpp-httplib's string grows by doubling.
  expect_growth_below(200);
}

TEST_F(FloodTest, PostsToOtherNodesWithoutTheirSecretStayUnread) {
  FakeNacos nacos;
  start({"--discovery", nacos.url(), "--cluster-listen", "127.0.0.1:0"});
  const std::string listening =
      HttpClient(server_->admin()).get("/api/v1/status").json()["cluster"]["listening"].get<std::string>();
  const Endpoint door = Endpoint::tcp("127.0.0.1", std::stoi(listening.substr(listening.rfind(':') + 1)));
  const std::string body(159 * kMebibyte, 'x');
  flood(4, door, "/cluster/v1/post", body, "Authorization: Bearer guess\r\n");
  ASSERT_NO_FATAL_FAILURE(push_all());
  expect_answers("HTTP/1.1 40");
  const std::string evil = evil_multipart();
  flood(20, door, "/cluster/v1/post", evil, "Content-Type: multipart/form-data; boundary=b\r\n");
  ASSERT_NO_FATAL_FAILURE(push_all());
  expect_answers("HTTP/1.1 4");
  expect_growth_below(32);
}

// What is kept of streams that have ended was bounded in number and not in bytes.
TEST_F(FloodTest, EndedStreamsWithHugeClientIdsAreNotRemembered) {
  start();
  HttpClient admin(server_->admin());
  // In flight on every stream of the user, none of which confirms it.
  ASSERT_EQ(admin.post("/api/v1/send", {{"target", {{"users", {"1"}}}}, {"data", "x"}, {"qos", true}}).status, 200);
  HttpClient pages(server_->pages());
  for (int i = 0; i < 200; ++i) {
    const HttpResponse refused =
        pages.get("/my-sse/connect?userId=1&ack=1&clientId=" + std::to_string(i) + std::string(7000, 'c'));
    ASSERT_EQ(refused.status, 400);
    EXPECT_THAT(refused.body, HasSubstr("256"));
  }
  constexpr std::size_t kStreams = 2000;
  constexpr std::size_t kAtOnce = 50;
  for (std::size_t opened = 0; opened < kStreams; opened += kAtOnce) {
    Streams streams(server_->pages());
    for (std::size_t i = 0; i < kAtOnce; ++i) {
      const std::string id = std::to_string(opened + i);
      streams.open("userId=1&ack=1&clientId=" + id + std::string(256 - id.size(), 'c'));
    }
    ASSERT_TRUE(streams.run_until([&] { return streams.events() >= kAtOnce; }));
    streams.close_all();
    ASSERT_NO_FATAL_FAILURE(expect_event());
  }
  expect_growth_below(24);
}

// They used to stay for seconds, as many as came, and counted.
TEST_F(FloodTest, ConnectionsRefusedForTheirAddressShutNoOtherClientOut) {
  start({"--max-connections", "60", "--max-connections-per-ip", "20"});
  std::vector<UniqueFd> held;
  for (int i = 0; i < 500; ++i) held.push_back(connect_to(server_->pages()));
  // The last of them has been looked at.
  const std::string refusal = read_to_end(held.back().get());
  if (!refusal.empty()) {
    EXPECT_THAT(refusal, AllOf(StartsWith("HTTP/1.1 429 "), HasSubstr("--max-connections-per-ip")));
  }
  ConnectOptions elsewhere;
  for (int i = 10; i < 20; ++i) {
    elsewhere.source = "127.0.0." + std::to_string(i);
    const UniqueFd other = connect_to(server_->pages(), elsewhere);
    ASSERT_TRUE(write_all(other.get(), "GET /my-sse/sse.js HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    EXPECT_THAT(read_to_end(other.get()), StartsWith("HTTP/1.1 200 "));
  }
  expect_event();
}

}  // namespace
}  // namespace sse::testing
