#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/process.h"
#include "support/streams.h"

namespace sse::testing {

/// An sse-serve process that is a node of a cluster, with a client for its admin API and one for its pages. For
/// GoogleTest.
class ClusterNode {
 public:
  /// `options`: the cluster options, without the node's id.
  ClusterNode(const std::string& id, std::vector<std::string> options) : id_(id), options_(std::move(options)) {
    options_.insert(options_.end(), {"--server-id", id});
    restart();
  }

  /// Sends SIGKILL.
  void kill() { server_->kill(); }
  /// Starts again with the same files. The streams of the previous run are lost.
  void restart() {
    server_.reset();
    server_ = std::make_unique<ServerProcess>(folder_, options_);
    admin_ = std::make_unique<HttpClient>(server_->admin());
    pages_ = std::make_unique<HttpClient>(server_->pages());
    streams_ = std::make_unique<Streams>(server_->pages());
  }

  ServerProcess& server() { return *server_; }
  std::string database() const { return folder_.file("pending.db"); }
  std::string admin() const { return "unix:" + folder_.file("admin.sock"); }
  const std::string& id() const { return id_; }
  Streams& streams() { return *streams_; }
  HttpClient& pages() { return *pages_; }

  Json get(const std::string& target) {
    const HttpResponse response = admin_->get(target);
    EXPECT_EQ(response.status, 200) << response.body;
    return response.status == 200 ? response.json() : Json();
  }
  HttpResponse post(const std::string& target, const Json& body) { return admin_->post(target, body); }
  Json send(const Json& target, const std::string& data, const Json& more = Json::object()) {
    Json body{{"target", target}, {"data", data}};
    body.update(more);
    const HttpResponse response = admin_->post("/api/v1/send", body);
    EXPECT_EQ(response.status, 200) << response.body;
    return response.status == 200 ? response.json() : Json::object();
  }
  Json send_to_user(const std::string& user, const std::string& data, const Json& more = Json::object()) {
    return send({{"users", {user}}}, data, more);
  }
  double counter(const std::string& name) { return get("/api/v1/status")["counters"].value(name, 0.0); }
  /// (message, recipient) pairs stored on this node.
  double pending_here() { return counter("sse_pending_messages"); }
  bool sees(std::size_t nodes) {
    return eventually([&] { return get("/api/v1/nodes")["list"].size() == nodes; });
  }
  /// Why the node is isolated; empty when it is not.
  std::string degraded() {
    const Json why = get("/api/v1/status")["cluster"]["degraded"];
    return why.is_string() ? why.get<std::string>() : "";
  }
  /// The data that a stream of streams() has received.
  std::vector<std::string> data(std::size_t stream) {
    std::vector<std::string> all;
    for (const ReceivedEvent& event : streams()[stream].events) all.push_back(event.data);
    return all;
  }
  bool receives(std::size_t stream, const std::string& data) {
    return streams().run_until([&] {
      const auto& events = streams()[stream].events;
      return std::any_of(events.begin(), events.end(), [&](const ReceivedEvent& e) { return e.data == data; });
    });
  }

 private:
  TempFolder folder_;
  const std::string id_;
  std::vector<std::string> options_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<HttpClient> admin_;
  std::unique_ptr<HttpClient> pages_;
  std::unique_ptr<Streams> streams_;
};

}  // namespace sse::testing
