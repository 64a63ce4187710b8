// A cluster whose Redis has a replica and real sentinels, when the primary dies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "support/client.h"
#include "support/cluster_node.h"
#include "support/sentinels.h"

namespace sse::testing {
namespace {

using ::testing::HasSubstr;

class RedisFailOverTest : public ::testing::Test {
 protected:
  ClusterNode& start(const std::string& id, const std::vector<std::string>& more = {}) {
    std::vector<std::string> options{"--cluster", group_.url("sse:secret@")};
    options.insert(options.end(), more.begin(), more.end());
    nodes_.push_back(std::make_unique<ClusterNode>(id, options));
    return *nodes_.back();
  }
  void TearDown() override {
    stop_ = true;
    for (std::thread& thread : senders_) thread.join();
  }
  // Sends messages with qos to a user until stop_; records those that were accepted.
  void send_on_and_on(ClusterNode& node) {
    senders_.emplace_back([this, at = node.server().admin(), id = node.id()] {
      HttpClient client(at);
      for (int n = 0; !stop_; ++n) {
        const std::string data = id + std::to_string(n);
        const HttpResponse response =
            client.post("/api/v1/send", {{"target", {{"users", {"1"}}}}, {"data", data}, {"qos", true}});
        if (response.status != 200) {
          nap();  // Redis is away: do not fill the log
          continue;
        }
        const MutexLock lock(mutex_);
        accepted_.insert(data);
      }
    });
  }
  std::size_t accepted() {
    const MutexLock lock(mutex_);
    return accepted_.size();
  }

  SentinelGroup group_;
  std::vector<std::unique_ptr<ClusterNode>> nodes_;
  std::atomic<bool> stop_{false};
  std::vector<std::thread> senders_;
  Mutex mutex_;
  std::set<std::string> accepted_ GUARDED_BY(mutex_);
};

TEST_F(RedisFailOverTest, NothingThatWasAcceptedIsLostWhenAReplicaHadIt) {
  ClusterNode& a = start("a", {"--qos-replicas", "1"});
  ClusterNode& b = start("b", {"--qos-replicas", "1"});
  ASSERT_TRUE(a.sees(2) && b.sees(2));
  send_on_and_on(a);
  send_on_and_on(b);
  ASSERT_TRUE(eventually([&] { return accepted() > 50; }));
  group_.first().kill();
  ASSERT_TRUE(eventually([&] { return group_.primary_port() == group_.second().port(); }));
  // Without a replica nothing is accepted.
  ASSERT_TRUE(eventually([&] {
    const HttpResponse refused = a.post("/api/v1/send", {{"target", {{"users", {"2"}}}}, {"data", "x"}, {"qos", true}});
    return refused.status == 503 && refused.body.find("only 0 of 1 replicas") != std::string::npos;
  }));
  // It comes back, and is made a replica.
  group_.first().start();
  const std::size_t before = accepted();
  ASSERT_TRUE(eventually([&] { return accepted() > before + 50; }));
  stop_ = true;
  for (std::thread& thread : senders_) thread.join();
  senders_.clear();
  const std::size_t stream = b.streams().connect("userId=1");
  std::set<std::string> missing;
  {
    const MutexLock lock(mutex_);
    missing = accepted_;
  }
  EXPECT_TRUE(b.streams().run_until([&] {
    for (const ReceivedEvent& event : b.streams()[stream].events) missing.erase(event.data);
    return missing.empty();
  })) << missing.size()
      << " are missing, the first is " << *missing.begin();
  EXPECT_EQ(a.counter("sse_qos_not_replicated_total") + b.counter("sse_qos_not_replicated_total"), 0);
}

TEST_F(RedisFailOverTest, WhatDidNotReachTheReplicaIsCountedAndSaid) {
  ClusterNode& a = start("a");
  ASSERT_TRUE(a.sees(1));
  EXPECT_EQ(a.send_to_user("1", "replicated", {{"qos", true}})["pending"], 1);
  ASSERT_TRUE(
      eventually([&] { return group_.second().say("EXISTS sse:pending:count").find(":1") != std::string::npos; }));
  // It is cut off, and the primary does not notice that it must not accept anything.
  group_.second().freeze();
  group_.first().say("CLIENT KILL TYPE replica");
  for (int n = 0; n < 5; ++n) EXPECT_EQ(a.send_to_user("1", "lost", {{"qos", true}})["pending"], 1);
  group_.first().kill();
  group_.second().thaw();
  ASSERT_TRUE(eventually([&] { return a.counter("sse_qos_not_replicated_total") == 5; }));
  EXPECT_THAT(a.server().log(), HasSubstr("5 messages that this node accepted have not reached the Redis"));
  // Each of its connections comes back by itself.
  HttpClient client(a.server().admin());
  ASSERT_TRUE(eventually([&] { return client.get("/api/v1/messages").status == 200; }));
  EXPECT_EQ(a.get("/api/v1/messages")["total"], 1);
  EXPECT_TRUE(eventually([&] {
    return client.post("/api/v1/send", {{"target", {{"users", {"1"}}}}, {"data", "after it"}, {"qos", true}}).status ==
           200;
  }));
}

}  // namespace
}  // namespace sse::testing
