#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "cluster/cluster.h"
#include "cluster/http_bus.h"
#include "observe/metrics.h"

namespace sse::cluster {

/// What a cluster whose nodes talk to each other directly is opened with.
struct HttpClusterOptions {
  std::string discovery;  ///< nacos://…, see parse_nacos_address(), or static:HOST:PORT,…
  std::string password;   ///< of Nacos; wins over the address' own; empty: that one
  std::string secret;     ///< that nodes show each other; empty with Nacos: each makes its own, and tells it there
  std::string listen;     ///< ADDR:PORT for other nodes
  std::string advertise;  ///< HOST:PORT that they reach it at; empty: `listen`
  std::size_t max_connections = HttpBus::Options().max_connections;  ///< of other nodes
  ByteCount max_body_memory = HttpBus::Options().max_body_memory;    ///< of posts of other nodes
  std::string spool_folder = HttpBus::Options().spool_folder;        ///< where large posts wait
  Cluster::Options cluster;
};

/// Throws Error(kInvalidArgument) for what makes no sense, naming the option.
void check(const HttpClusterOptions& options);
/// `discovery` fit for logs.
std::string shown_discovery(const std::string& discovery);

/// A node's part in such a cluster, its bus started. Throws Error where Nacos cannot be used, as NacosClient; and for a
/// node id that cannot be.
struct HttpCluster {
  HttpBus* bus = nullptr;  ///< owned by `cluster`
  std::unique_ptr<Cluster> cluster;
};
HttpCluster open_http_cluster(const HttpClusterOptions& options, observe::Registry& metrics);

/// The parts of a program that is no node: it asks, and is never asked.
struct HttpClientParts {
  std::unique_ptr<HttpBus> bus;
  std::unique_ptr<Discovery> discovery;  ///< its nodes() tells the bus who is there
};
HttpClientParts open_http_client(const HttpClusterOptions& options, const std::string& name, Bus::Receiver& receiver,
                                 observe::Registry& metrics);

}  // namespace sse::cluster
