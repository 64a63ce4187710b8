#include "ssectl/context/context.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/paths.h"
#include "cluster/client.h"
#include "ssectl/input/files.h"
#include "ssectl/input/values.h"

namespace sse::ctl {
namespace {

Format format_from(const std::string& name) {
  if (name == "json") return Format::kJson;
  return name == "ndjson" ? Format::kNdjson : Format::kTable;
}

}  // namespace

Context::Context(const GlobalOptions& options)
    : options_(options),
      out_(format_from(options.output), options.no_color),
      timeout_(duration_option("--timeout", options.timeout)) {
  if (timeout_ <= std::chrono::milliseconds::zero() || timeout_ > std::chrono::hours(24)) {
    throw Error(ErrorCode::kInvalidArgument,
                "--timeout must be more than 0 and at most 1d, not '" + options.timeout + "'");
  }
}

std::string Context::address() const {
  return options_.server.empty() ? find_admin_address() : options_.server;
}

bool Context::names_a_server() const {
  return !options_.server.empty() || !options_.cluster.empty() || !options_.discovery.empty();
}

std::string Context::token() const {
  return options_.token_file.empty() ? "" : read_token(options_.token_file);
}

Context::~Context() = default;

std::unique_ptr<cluster::ClusterClient> Context::open_cluster() const {
  const auto secret = [](const std::string& file) { return file.empty() ? std::string() : read_token(file); };
  if (!options_.cluster.empty()) {
    cluster::RedisClusterOptions options;
    options.address = options_.cluster;
    options.password = secret(options_.cluster_password_file);
    options.tls = {options_.cluster_ca, options_.cluster_cert, options_.cluster_key, options_.cluster_tls_name};
    options.prefix = options_.cluster_prefix;
    cluster::check(options);
    options.connect_timeout = std::min(timeout_, std::chrono::milliseconds(5000));
    return std::make_unique<cluster::ClusterClient>(options);
  }
  cluster::HttpClusterOptions options;
  options.discovery = options_.discovery;
  options.password = secret(options_.discovery_password_file);
  options.access_key = secret(options_.discovery_access_key_file);
  options.ca_file = options_.discovery_ca;
  options.secret = secret(options_.cluster_secret_file);
  options.tls = {options_.cluster_cert, options_.cluster_key, options_.cluster_ca, options_.cluster_tls_name};
  options.allow_clear = options_.insecure;
  return std::make_unique<cluster::ClusterClient>(options);
}

// Carries requests to any node of the cluster.
api::RequestForwarder Context::forwarder() {
  if (options_.local) {
    throw Error(ErrorCode::kInvalidArgument,
                "--local needs the server of --server; with --cluster or --discovery any node may answer");
  }
  cluster_ = open_cluster();
  return [this](const api::ForwardedRequest& carried, std::chrono::milliseconds timeout) {
    cluster::RawRequest request =
        cluster::RawRequest::parse(carried.method + ' ' + carried.target + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for (const auto& [name, value] : carried.headers) request.set_header(name, value);
    request.body = carried.body;
    cluster::RawResponse response = cluster_->handle(request, timeout);
    return api::ForwardedResponse{response.status, std::move(response.headers), std::move(response.body)};
  };
}

api::Client& Context::client(std::chrono::milliseconds more) {
  if (client_ == nullptr) {
    api::ClientOptions client{address(), token(), timeout_ + more};
    client.local = options_.local;
    client.on_missing = [this](const std::vector<std::string>& nodes) {
      std::string names;
      for (const std::string& node : nodes) names += (names.empty() ? "" : ", ") + node;
      out_.note("the result is incomplete; these nodes of the cluster did not answer: " + names);
    };
    if (!options_.cluster.empty() && !options_.discovery.empty())
      throw Error(ErrorCode::kInvalidArgument, "--cluster and --discovery exclude each other; give one of them");
    if (over_cluster()) client.forwarder = forwarder();
    client_ = std::make_unique<api::Client>(std::move(client));
  }
  return *client_;
}

}  // namespace sse::ctl
