#include "server/cluster_options.h"

#include <utility>

#include "application/upload_reader.h"
#include "auth/secret_file.h"
#include "base/error.h"
#include "cluster/redis/redis_address.h"

namespace sse::server {
namespace {

[[noreturn]] void bad(const std::string& sentence) {
  throw Error(ErrorCode::kInvalidArgument, sentence);
}

std::string read_optional_secret(const std::string& file, const char* option) {
  return file.empty() ? std::string() : auth::read_secret_file(file, option);
}

}  // namespace

cluster::RedisClusterOptions redis_options(const ServerOptions& options, const std::string& id) {
  cluster::RedisClusterOptions redis;
  redis.address = options.cluster;
  redis.password = read_optional_secret(options.cluster_password_file, "--cluster-password-file");
  redis.tls = {options.cluster_ca_file, options.cluster_certificate_file, options.cluster_key_file,
               options.cluster_tls_name};
  redis.prefix = options.cluster_prefix;
  redis.cluster.node = id;
  redis.cluster.clock = options.clock;
  return redis;
}

cluster::HttpClusterOptions mesh_options(const ServerOptions& options, const std::string& id) {
  cluster::HttpClusterOptions mesh;
  mesh.discovery = options.discovery;
  mesh.own_discovery = options.own_discovery.get();
  mesh.listen = options.cluster_listen;
  mesh.advertise = options.cluster_advertise;
  mesh.password = read_optional_secret(options.discovery_password_file, "--discovery-password-file");
  mesh.access_key = read_optional_secret(options.discovery_access_key_file, "--discovery-access-key-file");
  mesh.ca_file = options.discovery_ca_file;
  mesh.start_timeout = options.discovery_timeout;
  mesh.tls = {.certificate_file = options.cluster_certificate_file,
              .key_file = options.cluster_key_file,
              .ca_file = options.cluster_ca_file,
              .server_name = options.cluster_tls_name};
  mesh.allow_clear = options.cluster_in_clear;
  mesh.secret = read_optional_secret(options.cluster_secret_file, "--cluster-secret-file");
  mesh.max_connections = options.cluster_max_connections;
  mesh.max_body_memory = options.max_body_memory;
  mesh.spool_folder = options.upload_folder.empty() ? application::default_upload_folder() : options.upload_folder;
  mesh.cluster.node = id;
  mesh.cluster.clock = options.clock;
  return mesh;
}

std::string cluster_address(const ServerOptions& options) {
  if (!options.cluster.empty()) return cluster::parse_redis_address(options.cluster).str();
  return options.discovery.empty() ? std::string() : cluster::shown_discovery(options.discovery);
}

void check_cluster(const ServerOptions& options) {
  if (!options.cluster.empty() && options.own_repository)
    bad("with --cluster the messages are stored in Redis: leave out the program's own repository");
  if (!options.cluster.empty() && !options.discovery.empty())
    bad("--cluster and --discovery are two kinds of cluster; give one of them");
  if (!options.cluster.empty()) cluster::check(redis_options(options, options.server_id));
  // The history is local to one server and ordered by its clock.
  if ((!options.cluster.empty() || !options.discovery.empty()) && options.history.events != 0)
    bad("--history works on a single server only; leave out either --history or --cluster and --discovery");
  if (options.cluster.empty() && !options.cluster_password_file.empty()) bad("--cluster-password-file needs --cluster");
  if (options.cluster.empty() && options.qos_replicas != 0) bad("--qos-replicas needs --cluster");
  if (options.cluster.empty() && options.allow_redis_eviction) bad("--allow-redis-eviction needs --cluster");
  if (options.cluster.empty() && options.cluster_prefix != ServerOptions().cluster_prefix)
    bad("--cluster-prefix needs --cluster");
  const std::pair<const char*, const std::string&> of_tls[] = {{"--cluster-ca", options.cluster_ca_file},
                                                               {"--cluster-cert", options.cluster_certificate_file},
                                                               {"--cluster-key", options.cluster_key_file},
                                                               {"--cluster-tls-name", options.cluster_tls_name}};
  for (const auto& [name, value] : of_tls) {
    if (options.cluster.empty() && options.discovery.empty() && !value.empty())
      bad(std::string(name) + " needs --cluster or --discovery");
  }
  if (!options.discovery.empty()) {
    if (options.cluster_listen.empty())
      bad("--discovery needs an address at which other nodes reach this one: --cluster-listen ADDRESS:PORT");
    cluster::check(mesh_options(options, options.server_id));
    return;
  }
  const std::pair<const char*, const std::string&> parts[] = {
      {"--discovery-password-file", options.discovery_password_file},
      {"--discovery-access-key-file", options.discovery_access_key_file},
      {"--discovery-ca", options.discovery_ca_file},
      {"--cluster-listen", options.cluster_listen},
      {"--cluster-advertise", options.cluster_advertise},
      {"--cluster-secret-file", options.cluster_secret_file}};
  for (const auto& [name, value] : parts) {
    if (!value.empty()) bad(std::string(name) + " needs --discovery");
  }
}

}  // namespace sse::server
