// What Redis, other nodes and other programs send may be anything: a node outlives it, says so, and its streams go on
// getting their events.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/cluster.h"
#include "support/relay.h"

namespace sse::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

std::string bulk(const std::string& text) {
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

std::string command(const std::vector<std::string>& words) {
  std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) bytes += bulk(word);
  return bytes;
}

std::string response(const std::string& body, const std::string& status = "200 OK") {
  return "HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

// What no node of ours answers to anything.
std::vector<std::string> odd_answers() {
  return {"",
          "\n",
          "[1,2]",
          R"({"list":[1,2]})",
          R"({"list":[[1],[2]],"total":"many"})",
          R"({"list":7,"total":-1})",
          R"({"list":[{"createTime":"now","messageCount":[],"id":{"a":1}}],"total":18446744073709551615})",
          R"({"list":[{"connection":[],"gets":7,"reasons":"x"},{"connections":1e300,"users":"a"}],"receivers":[1]})",
          R"({"data":[1,2]})",
          R"({"data":{"list":[1,2],"total":"x"}})",
          R"({"data":{"list":[{"id":[1]}],"total":1e999}})",
          std::string(5000, '[') + std::string(5000, ']'),
          "\xff\xfe\x00{}"};
}

// A node that is in the cluster over Redis and answers every command it gets with what it was given.
class LyingNode {
 public:
  explicit LyingNode(const RedisProcess& redis) : redis_(redis) {
    enter(R"({"state":"ready","connections":1})");
    thread_ = std::thread([this] { serve(); });
    EXPECT_TRUE(eventually([this] { return ready_.load(); }));
  }
  ~LyingNode() {
    ::shutdown(fd_.get(), SHUT_RDWR);
    thread_.join();
  }
  void enter(const std::string& facts) {
    say(command({"HSET", "sse:node:liar", "nonce", "x", "number", "77", "facts", facts, "wire", "2"}) +
        command({"SADD", "sse:nodes", "liar"}));
  }
  void answer_with(std::string bytes) {
    const std::scoped_lock lock(mutex_);
    answer_ = std::move(bytes);
  }
  int asked() const { return asked_; }
  void publish(const std::string& channel, const std::string& message) {
    say(command({"PUBLISH", "sse:" + channel, message}));
  }

 private:
  void say(const std::string& commands) const {
    const UniqueFd fd = connect_to(Endpoint::tcp("127.0.0.1", redis_.port()));
    write_all(fd.get(), commands + command({"QUIT"}));
    read_to_end(fd.get());
  }

  // One push at a time: *3, "message", channel, payload.
  void serve() {
    write_all(fd_.get(), command({"SUBSCRIBE", "sse:topic:nodes", "sse:topic:node:77"}));
    std::string bytes;
    std::size_t subscribed = 0;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::hours(1);
    while (read_some(fd_.get(), bytes, deadline) > 0) {
      for (std::string push = take_push(bytes); !push.empty(); push = take_push(bytes)) {
        if (push == "subscribe") {
          if (++subscribed == 2) ready_ = true;
          continue;
        }
        answer(push);
      }
    }
  }

  static bool take_bulk(std::string& bytes, std::size_t& at, std::string& text) {
    const std::size_t end = bytes.find("\r\n", at);
    if (end == std::string::npos) return false;
    if (bytes[at] == ':') {
      at = end + 2;
      return true;
    }
    const std::size_t size = std::stoul(bytes.substr(at + 1, end - at - 1));
    if (bytes.size() < end + 2 + size + 2) return false;
    text = bytes.substr(end + 2, size);
    at = end + 2 + size + 2;
    return true;
  }
  static std::string take_push(std::string& bytes) {
    std::size_t at = bytes.find("\r\n");
    if (at == std::string::npos) return "";
    at += 2;
    std::string kind, channel, payload;
    if (!take_bulk(bytes, at, kind) || !take_bulk(bytes, at, channel) || !take_bulk(bytes, at, payload)) return "";
    bytes.erase(0, at);
    return kind == "message" ? payload : kind;
  }

  // "wire=2 node=<node> first=<number> sizes=<size>,…\n"
  void answer(const std::string& message) {
    const auto value = [&](const std::string& name) {
      const std::size_t begin = message.find(name + "=");
      if (begin == std::string::npos) return std::string("0");
      const std::size_t at = begin + name.size() + 1;
      return message.substr(at, message.find_first_of(" \n", at) - at);
    };
    const std::string node = value("node");
    const std::string number = value("first");
    std::string bytes;
    {
      const std::scoped_lock lock(mutex_);
      bytes = answer_;
    }
    publish("answer:" + node, "wire=2 node=liar\n" + number + " " + std::to_string(bytes.size()) + "\n" + bytes);
    ++asked_;
  }

  const RedisProcess& redis_;
  const UniqueFd fd_{connect_to(Endpoint::tcp("127.0.0.1", redis_.port()))};
  std::atomic<bool> ready_{false};
  std::atomic<int> asked_{0};
  std::mutex mutex_;
  std::string answer_;
  std::thread thread_;
};

// Answers every HTTP request with what it was given.
class LyingServer {
 public:
  explicit LyingServer(std::function<std::string(const std::string& request)> answer) : answer_(std::move(answer)) {
    thread_ = std::thread([this] { serve(); });
  }
  ~LyingServer() {
    stopping_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  int asked() const { return asked_; }

 private:
  void serve() {
    while (!stopping_) {
      const UniqueFd fd(::accept(listener_.get(), nullptr, nullptr));
      if (!fd.valid()) return;
      const std::string request =
          read_until(fd.get(), [](const std::string& text) { return text.find("\r\n\r\n") != std::string::npos; });
      ++asked_;
      write_all(fd.get(), answer_(request));
    }
  }

  const std::function<std::string(const std::string&)> answer_;
  int port_ = 0;
  UniqueFd listener_{listen_on_free_port(port_)};
  std::atomic<bool> stopping_{false};
  std::atomic<int> asked_{0};
  std::thread thread_;
};

class HostileNeighboursTest : public ClusterOver<OverRedis> {
 protected:
  // The stream of user 1 goes on getting what is sent here.
  void expect_alive(ClusterNode& node, const std::string& after) {
    const std::string data = "event " + std::to_string(++sent_);
    node.send_to_user("1", data);
    ASSERT_TRUE(node.receives(0, data)) << "after: " << after.substr(0, 200);
  }

  int sent_ = 0;
};

TEST_F(HostileNeighboursTest, ARedisThatLiesEndsNoStreamAndNoNode) {
  Relay relay;
  relay.set_target("127.0.0.1:" + std::to_string(bus_.redis.port()));
  ClusterNode node("a", {"--cluster", "redis://" + relay.address() + "/0"});
  node.streams().connect("userId=1");
  expect_alive(node, "the start");
  std::string deep;
  for (int i = 0; i < 5000; ++i) deep += "*1\r\n";
  std::string many;
  for (int i = 0; i < 20'000; ++i) many += "*2\r\n:1\r\n*0\r\n";
  for (const std::string& lie :
       {std::string("*2000000000\r\n"), std::string("*1\r\n*2147483647\r\n$5\r\n"), deep, many,
        std::string("$2147483647\r\nabc"), std::string("HTTP/1.1 400 Bad Request\r\n\r\n"),
        std::string("*3\r\n$7\r\nmessage\r\n$15\r\nsse:topic:nodes\r\n$4\r\nlies\r\n"),
        std::string("+OK\r\n-OOM no\r\n:9223372036854775807\r\n$-1\r\n*-1\r\n"), std::string("-ERR \x1b[31mno\r\n"),
        std::string("\0\xff\r\n", 4), std::string("*4\r\n+pong\r\n+99999999999999999999\r\n:1\r\n$-1\r\n")}) {
    relay.lie(lie);
    for (int i = 0; i < 3; ++i) expect_alive(node, lie);
    EXPECT_TRUE(eventually([&] { return !node.degraded().empty(); })) << lie;
    const HttpResponse kept =
        node.post("/api/v1/send", {{"target", {{"users", {"1"}}}}, {"data", "kept"}, {"qos", true}});
    EXPECT_THAT(kept.status, AnyOf(200, 429, 500, 503)) << kept.body;
    relay.restore();
    EXPECT_TRUE(eventually([&] { return node.degraded().empty(); })) << lie;
  }
  node.send_to_user("1", "kept", {{"qos", true}});
  EXPECT_TRUE(node.receives(0, "kept"));
  EXPECT_EQ(node.counter("sse_exceptions_total"), 0);
}

TEST_F(HostileNeighboursTest, WhateverAnotherNodeAnswersOrSendsIsAnErrorAtMost) {
  ClusterNode& node = start("a");
  node.streams().connect("userId=1");
  LyingNode liar(bus_.redis);
  ASSERT_TRUE(node.sees(2));
  for (const std::string& body : odd_answers()) {
    for (const std::string& answer : {response(body), body}) {
      liar.answer_with(answer);
      for (const char* path : {"/api/v1/connections?sort=rate", "/api/v1/users", "/api/v1/user-ids", "/api/v1/tenants",
                               "/api/v1/connections/closed", "/api/v1/durations?user=1",
                               "/api/v1/explain?user=1&event=e", "/api/v1/connections?pageNum=2&pageSize=1"}) {
        const int before = liar.asked();
        const HttpResponse got = HttpClient(node.server().admin()).get(path);
        EXPECT_THAT(got.status, AnyOf(200, 400, 404)) << path << " " << answer << "\n" << got.body;
        EXPECT_GE(liar.asked(), before);
      }
      expect_alive(node, answer);
    }
  }
  EXPECT_GT(liar.asked(), 100);
  const std::string liar_says = "wire=2 node=liar ";
  for (const std::string& bytes :
       {std::string(""), std::string("\n"), std::string("liar\n"), std::string("liar 1 \n"), liar_says + "\n",
        std::string("liar~1 1 3 \nabc"), std::string("wire=99 node=liar~1 first=1 sizes=3\nabc"),
        std::string("wire= node=\n"), std::string("wire=2\nabc"), liar_says + "first=x sizes=5\nabc",
        liar_says + "first=1 sizes=99999999999999999999\nabc", liar_says + "first=1 sizes=3\nabc",
        liar_says + "first=1 sizes=2\n[]", liar_says + "first=1 sizes=10\n{\"do\":[1]}",
        liar_says + "first=1 sizes=3\n[1\n", liar_says + "first=1 sizes=17\n{\"do\":\"replace\"}\n",
        liar_says + "first=1 sizes=30\ndeliver user 1 1 99 99 99 \nabcde",
        liar_says + "first=1 sizes=100000\n" + std::string(100'000, '['),
        liar_says + "first=18446744073709551615 sizes=1\nx"}) {
    liar.publish("topic:nodes", bytes);
    liar.publish("topic:to:24:defaultConnectionService:user:1", bytes);
    expect_alive(node, bytes);
  }
  for (const char* facts : {"[1,2]", "7", R"({"state":["ready"],"url":7,"connections":"x"})", "no", ""}) {
    liar.enter(facts);
    EXPECT_TRUE(eventually([&] { return node.get("/api/v1/nodes")["list"].size() == 2; }));
    expect_alive(node, facts);
  }
  EXPECT_EQ(node.counter("sse_exceptions_total"), 0);
}

TEST_F(HostileNeighboursTest, ANeighbourWithoutRedisMayAnswerAnything) {
  std::size_t turn = 0;  // of the liar's thread
  const std::vector<std::string> answers{
      "[1,2]\n",
      R"({"wire":2,"from":7})"
      "\n",
      R"({"wire":2,"from":"liar~1","hello":{"id":7,"number":"x","settled":"yes","beat":-1,"facts":[1]}})"
      "\n",
      R"({"wire":2,"from":"liar~1","hello":{"id":"liar","run":"1","number":5000,"settled":true,"beat":1,"facts":[1]}})"
      "\n",
      R"({"wire":2,"from":"liar~1","hello":{"id":"liar","run":"1","number":9,"settled":true,"beat":1,"facts":{"state":[1]}}})"
      "\n",
      R"({"wire":2,"from":"liar~1","hello":[1,2],"number":18446744073709551615})"
      "\n+ 99999999999\n",
      "{\"wire\":2}\na 1 18446744073709551615\n",
      "{\"wire\":2}\nx 1\nx 2\na 1 1\nz",
      std::string(300'000, ' ') + "{}\n",
      std::string(100'000, '[') + "\n",
  };
  LyingServer liar([&](const std::string& request) -> std::string {
    const std::vector<std::string> odd = odd_answers();
    const std::size_t n = turn++;
    if (request.starts_with("GET")) return response(odd[n % odd.size()]);
    if (n % (answers.size() + 1) == answers.size())
      return "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + std::string(1000, 'x');
    return response(answers[n % (answers.size() + 1)]);
  });
  TempFolder folder;
  const std::string secret = folder.file("secret");
  FILE* file = std::fopen(secret.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fputs("between ourselves, at some length\n", file);
  std::fclose(file);
  ServerProcess server(folder, {"--discovery", "static:" + liar.address(), "--cluster-listen", "127.0.0.1:0",
                                "--cluster-secret-file", secret, "--server-id", "a"});
  Streams streams(server.pages());
  HttpClient admin(server.admin());
  streams.connect("userId=1");
  for (int i = 0; liar.asked() < 30; ++i) {
    const std::string data = "event " + std::to_string(i);
    const HttpResponse sent = admin.post("/api/v1/send", {{"target", {{"users", {"1"}}}}, {"data", data}});
    ASSERT_EQ(sent.status, 200) << sent.body;
    ASSERT_TRUE(streams.run_until([&] { return !streams[0].events.empty() && streams[0].events.back().data == data; }))
        << i;
    EXPECT_EQ(admin.get("/api/v1/nodes").status, 200);
    EXPECT_THAT(admin.get("/api/v1/connections").status, AnyOf(200, 503));
    ASSERT_LT(i, 20'000);
    nap();
  }
  EXPECT_EQ(admin.get("/api/v1/status").json()["counters"].value("sse_exceptions_total", -1.0), 0);
  EXPECT_EQ(server.stop(), 0);
}

TEST_F(HostileNeighboursTest, ASubscriptionThatRedisRefusesIsSaidAndMendsItself) {
  bus_.redis.say("ACL SETUSER sse resetchannels &other:*");
  ClusterNode node("a", bus_.options());
  EXPECT_TRUE(eventually([&] { return node.degraded().find("refuses a subscription") != std::string::npos; }))
      << node.degraded();
  node.streams().connect("userId=1");
  expect_alive(node, "a refusal");
  bus_.redis.say("ACL SETUSER sse allchannels");
  EXPECT_TRUE(eventually([&] { return node.degraded().empty(); })) << node.degraded();
}

}  // namespace
}  // namespace sse::testing
