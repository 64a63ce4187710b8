#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/cluster_node.h"
#include "support/nacos.h"
#include "support/redis.h"

namespace sse::testing {

/// A cluster through a real Redis, which carries its commands and stores its messages, as the user of the manual.
class OverRedis {
 public:
  static constexpr const char* kName = "Redis";
  static constexpr const char* kFoundThrough = "Redis";
  static constexpr const char* kUnreachable = "--cluster redis://127.0.0.1:1";  ///< options of ssectl
  /// Redis does not count a node as a receiver once its connection has ended.
  static constexpr bool kNamesDeadNodes = false;

  std::vector<std::string> options() const { return {"--cluster", redis.url_of_user()}; }
  std::string ssectl_options() const { return "--cluster " + redis.url_of_user(); }

  RedisProcess redis;
};

/// A mesh: nodes that find each other through Nacos, post to each other and store the messages that they accepted.
class OverHttp {
 public:
  static constexpr const char* kName = "Http";
  static constexpr const char* kFoundThrough = "Nacos";
  static constexpr const char* kUnreachable = "--discovery nacos://127.0.0.1:1";
  static constexpr bool kNamesDeadNodes = true;

  std::vector<std::string> options() const { return {"--discovery", nacos.url(), "--cluster-listen", "127.0.0.1:0"}; }
  std::string ssectl_options() const { return "--discovery " + nacos.url(); }

  FakeNacos nacos;
};

/// A cluster of sse-serve processes. `Bus`: what its nodes communicate over.
template <class Bus>
class ClusterOver : public ::testing::Test {
 protected:
  ClusterNode& start(const std::string& id, const std::vector<std::string>& more = {}) {
    return start_with(bus_.options(), id, more);
  }
  /// `options`: how the node reaches the others.
  ClusterNode& start_with(std::vector<std::string> options, const std::string& id,
                          const std::vector<std::string>& more = {}) {
    options.insert(options.end(), more.begin(), more.end());
    nodes_.push_back(std::make_unique<ClusterNode>(id, std::move(options)));
    return *nodes_.back();
  }
  /// Waits until every node sees all others.
  void settle() {
    for (const auto& node : nodes_) ASSERT_TRUE(node->sees(nodes_.size()));
  }

  Bus bus_;
  std::vector<std::unique_ptr<ClusterNode>> nodes_;
};

/// Every bus, for tests of what all clusters promise: TYPED_TEST_SUITE(Suite, EveryBus, BusName).
using EveryBus = ::testing::Types<OverRedis, OverHttp>;

struct BusName {
  template <class Bus>
  static std::string GetName(int) {
    return Bus::kName;
  }
};

}  // namespace sse::testing
