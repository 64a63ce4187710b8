#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "cluster/core/cluster.h"
#include "cluster/mesh/http_bus.h"
#include "cluster/mesh/mesh_tls.h"
#include "cluster/nacos/nacos_client.h"
#include "observe/metrics.h"
#include "sse-server/discovery.h"

namespace sse::cluster {

/// HttpClusterOptions::discovery of a program that embeds the server and finds the nodes itself.
inline constexpr const char* kOwnDiscovery = "own:";

/// Options of a cluster whose nodes communicate directly over HTTP.
struct HttpClusterOptions {
  std::string discovery;  ///< nacos://…, see parse_nacos_address(), static:HOST:PORT,… or kOwnDiscovery
  sse::Discovery* own_discovery = nullptr;  ///< with kOwnDiscovery; outlives the cluster
  std::string password;                     ///< of Nacos; overrides the password in the address; empty: that password
  std::string access_key{};                 ///< of Nacos: `KEY:SECRETKEY`; empty: none
  std::string ca_file{};                    ///< PEM file with the certificates that nacos+https:// trusts
  /// How long to try again at the start while Nacos cannot be used; then the node starts alone.
  std::chrono::milliseconds start_timeout{20'000};
  /// TLS between the nodes: its files; none: in clear.
  MeshTls::Options tls{};
  /// Permits what sends the secret over a network in clear.
  bool allow_clear = false;
  std::string secret;     ///< shared by all nodes; empty with Nacos: each node generates one and publishes it there
  std::string listen;     ///< ADDR:PORT for connections of other nodes
  std::string advertise;  ///< HOST:PORT at which other nodes reach this one; empty: `listen`
  std::size_t max_connections = HttpBus::Options().max_connections;  ///< maximum from other nodes
  ByteCount max_body_memory = HttpBus::Options().max_body_memory;    ///< for POST requests of other nodes
  std::string spool_folder = HttpBus::Options().spool_folder;        ///< where large POST bodies are buffered
  Cluster::Options cluster;
};

/// Throws Error(kInvalidArgument) that names the invalid option, one of TLS included, or the address because of which
/// the secret would travel in clear.
void check(const HttpClusterOptions& options);
/// How to use the Nacos of `discovery`, with the credentials. REQUIRES: is_nacos_address(options.discovery).
NacosClient::Options nacos_options(const HttpClusterOptions& options);
/// `discovery` without secrets, for logs.
std::string shown_discovery(const std::string& discovery);

/// A node's membership in such a cluster, with its bus started. Throws Error for an invalid node id, and as NacosClient
/// if Nacos cannot be used.
struct HttpCluster {
  HttpBus* bus = nullptr;  ///< owned by `cluster`
  std::unique_ptr<Cluster> cluster;
};
HttpCluster open_http_cluster(const HttpClusterOptions& options, observe::Registry& metrics);

/// The parts of a program that is not a node: it sends requests and receives none.
struct HttpClientParts {
  std::unique_ptr<HttpBus> bus;
  std::unique_ptr<Discovery> discovery;  ///< its nodes() reports the live nodes to the bus
};
HttpClientParts open_http_client(const HttpClusterOptions& options, const std::string& name, Bus::Receiver& receiver,
                                 observe::Registry& metrics);

}  // namespace sse::cluster
