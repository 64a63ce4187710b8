#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/process.h"
#include "support/redis.h"
#include "support/streams.h"

namespace sse::testing {

/// A server in a Redis cluster, with a client for its admin API and one for its pages.
class Node {
 public:
  Node(const RedisProcess& redis, const std::string& id, const std::vector<std::string>& more = {})
      : Node(redis.url(), id, more) {}
  /// `redis`: the URL of Redis or of a Relay to it.
  Node(const std::string& redis, const std::string& id, const std::vector<std::string>& more)
      : server_(folder_, options(redis, id, more)),
        id_(id),
        admin_(server_.admin()),
        pages_(server_.pages()),
        streams_(server_.pages()) {}

  static std::vector<std::string> options(const std::string& redis, const std::string& id,
                                          const std::vector<std::string>& more) {
    std::vector<std::string> words{"--cluster", redis, "--server-id", id};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  ServerProcess& server() { return server_; }
  const std::string& id() const { return id_; }
  Streams& streams() { return streams_; }
  HttpClient& pages() { return pages_; }

  Json get(const std::string& target) {
    const HttpResponse response = admin_.get(target);
    EXPECT_EQ(response.status, 200) << response.body;
    return response.status == 200 ? response.json() : Json();
  }
  HttpResponse post(const std::string& target, const Json& body) { return admin_.post(target, body); }
  Json send(const Json& target, const std::string& data, const Json& more = Json::object()) {
    Json body{{"target", target}, {"data", data}};
    body.update(more);
    const HttpResponse response = admin_.post("/api/v1/send", body);
    EXPECT_EQ(response.status, 200) << response.body;
    return response.status == 200 ? response.json() : Json();
  }
  Json send_to_user(const std::string& user, const std::string& data, const Json& more = Json::object()) {
    return send({{"users", {user}}}, data, more);
  }
  double counter(const std::string& name) { return get("/api/v1/status")["counters"].value(name, 0.0); }
  bool sees(std::size_t nodes) {
    return eventually([&] { return get("/api/v1/nodes")["list"].size() == nodes; });
  }
  std::string degraded() {
    const Json why = get("/api/v1/status")["cluster"]["degraded"];
    return why.is_string() ? why.get<std::string>() : "";
  }
  std::vector<std::string> data(std::size_t stream) {
    std::vector<std::string> all;
    for (const ReceivedEvent& event : streams_[stream].events) all.push_back(event.data);
    return all;
  }
  bool receives(std::size_t stream, const std::string& data) {
    return streams_.run_until([&] {
      const auto& events = streams_[stream].events;
      return std::any_of(events.begin(), events.end(), [&](const ReceivedEvent& e) { return e.data == data; });
    });
  }

 private:
  ScratchFolder folder_;
  ServerProcess server_;
  const std::string id_;
  HttpClient admin_;
  HttpClient pages_;
  Streams streams_;
};

class ClusterTest : public ::testing::Test {
 protected:
  Node& start(const std::string& id, const std::vector<std::string>& more = {}) {
    nodes_.push_back(std::make_unique<Node>(redis_, id, more));
    return *nodes_.back();
  }
  // Waits until every node sees all others.
  void settle() {
    for (const auto& node : nodes_) ASSERT_TRUE(node->sees(nodes_.size()));
  }

  RedisProcess redis_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

}  // namespace sse::testing
