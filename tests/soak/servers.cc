#include "soak/servers.h"

#include <stdexcept>

namespace sse::soak {

Servers::Servers(std::size_t nodes, const std::vector<std::string>& options) {
  if (nodes > 1) redis_.emplace();
  for (std::size_t i = 0; i < nodes; ++i) {
    std::vector<std::string> words = options;
    if (redis_) {
      words.insert(words.end(), {"--cluster", redis_->url(), "--server-id", "node" + std::to_string(i)});
    } else {
      words.insert(words.end(), {"--history", "500", "--history-bytes", "2MiB"});
    }
    Node node;
    node.folder = std::make_unique<testing::TempFolder>();
    node.server = std::make_unique<testing::ServerProcess>(*node.folder, words);
    node.admin = std::make_unique<testing::HttpClient>(node.server->admin());
    nodes_.push_back(std::move(node));
  }
  if (!redis_) return;
  for (const Node& node : nodes_) {
    const bool complete =
        testing::eventually([&] { return node.admin->get("/api/v1/nodes").json().at("list").size() == nodes_.size(); });
    if (!complete) throw std::runtime_error("the nodes do not discover each other");
  }
}

std::vector<testing::Endpoint> Servers::pages() const {
  std::vector<testing::Endpoint> all;
  for (const Node& node : nodes_) all.push_back(node.server->pages());
  return all;
}

bool Servers::stop() {
  bool clean = true;
  for (Node& node : nodes_) clean = node.server->stop() == 0 && clean;
  return clean;
}

}  // namespace sse::soak
