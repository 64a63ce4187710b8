#include "cluster/nacos/nacos_client.h"

#include <httplib.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "base/url.h"
#include "cluster/core/typed_json.h"
#include "cluster/mesh/bounded_http.h"

// Paths, parameters and responses as in the documentation of Nacos' open API (nacos.io, manual/user/open-api).
namespace sse::cluster {
namespace {

using event::Json;

constexpr const char* kDefaultCluster = "DEFAULT";
constexpr std::int64_t kNotFoundV1 = 20404;  // for a heartbeat
constexpr std::int64_t kNotFoundV3 = 21003;
// A list of 1023 nodes with 1 KiB of metadata each, doubled.
constexpr std::size_t kMaxAnswer = std::size_t{4} << 20;
constexpr std::size_t kMaxInstances = 10'000;
constexpr std::int64_t kMaxTokenSeconds = std::int64_t{365} * 24 * 3600;
constexpr std::int64_t kMaxBeatMillis = 60'000;

std::string base_of(NacosApi api) {
  switch (api) {
    case NacosApi::kV3:
      return "/nacos/v3/client/ns/instance";
    case NacosApi::kV2:
      return "/nacos/v2/ns/instance";
    default:
      return "/nacos/v1/ns/instance";
  }
}

}  // namespace

std::vector<NacosInstance> nacos_instances_in(const Json& answer) {
  const Json* hosts = &answer;
  // v2 and v3 wrap the reply of v1.
  if (hosts->is_object() && hosts->contains("data")) hosts = &hosts->at("data");
  if (hosts->is_object() && hosts->contains("hosts")) hosts = &hosts->at("hosts");
  std::vector<NacosInstance> instances;
  if (!hosts->is_array()) return instances;
  for (const Json& host : *hosts) {
    if (instances.size() == kMaxInstances) break;
    if (!host.is_object()) continue;
    NacosInstance instance;
    instance.ip = text_in(host, "ip");
    const std::int64_t port = number_in(host, "port", 0);
    if (port < 0 || port > 65535) continue;
    instance.port = static_cast<int>(port);
    instance.healthy = flag_in(host, "healthy", flag_in(host, "valid", true));
    instance.enabled = flag_in(host, "enabled", true);
    if (const auto metadata = host.find("metadata"); metadata != host.end() && metadata->is_object()) {
      for (const auto& [name, value] : metadata->items()) {
        if (value.is_string()) instance.metadata[name] = value.get<std::string>();
      }
    }
    instances.push_back(std::move(instance));
  }
  return instances;
}

class NacosServer {
 public:
  NacosServer(const std::string& host, int port, std::chrono::milliseconds timeout) : http_(host, port) {
    const auto seconds = static_cast<time_t>(timeout.count() / 1000);
    const auto micros = static_cast<time_t>(timeout.count() % 1000 * 1000);
    http_.set_connection_timeout(seconds, micros);
    http_.set_read_timeout(seconds, micros);
    http_.set_write_timeout(seconds, micros);
    http_.set_keep_alive(true);
    http_.set_tcp_nodelay(true);
  }
  httplib::Client& http() { return http_; }

 private:
  httplib::Client http_;
};

NacosClient::NacosClient(Options options) : options_(std::move(options)), api_(options_.address.api) {
  for (const auto& [host, port] : options_.address.servers)
    servers_.push_back(std::make_unique<NacosServer>(host, port, options_.timeout));
}

NacosClient::~NacosClient() = default;

bool NacosClient::Response::no_such_path() const {
  // If Nacos itself does not find an object, its reply has an error code of its own.
  const bool own_words = json.is_object() && json.contains("code");
  return (status == 404 && !own_words) || status == 405 || status == 410 || status == 501;
}

std::string NacosClient::Response::message() const {
  std::string text = text_in(json, "message");
  if (const std::string data = text_in(json, "data"); !data.empty() && data != "ok") text += ": " + data;
  if (text.empty()) text = body;
  return "status " + std::to_string(status) + (text.empty() ? "" : ", " + printable(text));
}

void NacosClient::refused(const std::string& why) const {
  throw Error(ErrorCode::kPermissionDenied,
              "Nacos at " + options_.address.str() + " refuses: " + why + "; check user and password of --discovery");
}

void NacosClient::require(const Response& response, const char* what) const {
  if (response.status == 401 || response.status == 403) refused(response.message());
  const bool good = response.status == 200 && (!response.json.is_object() || number_in(response.json, "code", 0) == 0);
  if (good) return;
  throw Error(response.status >= 500 ? ErrorCode::kUnavailable : ErrorCode::kIo,
              "Nacos at " + options_.address.str() + " does not " + what + ": " + response.message());
}

NacosClient::Response NacosClient::call_once(const char* method, const std::string& path,
                                             const Parameters& parameters) {
  const std::string text = form_encode(parameters);
  std::string why;
  // The timeouts are httplib's, which uses the system's clock.
  const SteadyTime begin = Clock::system().steady_now();
  // One attempt more than there are servers, because the server may just have closed a keep-alive connection. All
  // requests here are idempotent.
  for (std::size_t tried = 0; tried <= servers_.size(); ++tried) {
    if (tried == servers_.size() && Clock::system().steady_now() - begin > options_.timeout / 2) break;
    httplib::Request request;
    request.method = method;
    request.path = path;
    if (request.method == "POST") {
      request.body = text;
      request.set_header("Content-Type", "application/x-www-form-urlencoded");
    } else if (!text.empty()) {
      request.path += '?' + text;
    }
    request.set_header("User-Agent", "sse-server");
    if (!token_.empty()) {
      // Each generation of the API reads one of these headers; headers do not appear in access logs.
      request.set_header("Authorization", "Bearer " + token_);
      request.set_header("accessToken", token_);
    }
    BoundedBody body(request, kMaxAnswer);
    const httplib::Result result = servers_[current_]->http().send(request);
    if (result) {
      Response response{result->status, body.take(), nullptr};
      response.json = read_json(response.body, kMaxAnswer).value_or(Json());
      return response;
    }
    why = body.too_large() ? "its response is larger than " + format_bytes(ByteCount(kMaxAnswer))
                           : httplib::to_string(result.error());
    current_ = (current_ + 1) % servers_.size();
  }
  throw Error(ErrorCode::kUnavailable, "cannot reach Nacos at " + options_.address.str() + " (" + why + ")");
}

void NacosClient::log_in() {
  static constexpr std::array<const char*, 3> kPaths{"/nacos/v3/auth/user/login", "/nacos/v1/auth/login",
                                                     "/nacos/v1/auth/users/login"};
  token_.clear();
  const Parameters login{{"username", options_.address.user}, {"password", options_.address.password}};
  std::string why;
  for (const char* path : kPaths) {
    const Response response = call_once("POST", path, login);
    if (response.no_such_path()) continue;
    // Under "data" if a proxy wraps all replies.
    const Json& told = response.json.is_object() && response.json.contains("data") && response.json["data"].is_object()
                           ? response.json["data"]
                           : response.json;
    token_ = text_in(told, "accessToken");
    if (response.status == 200 && !token_.empty()) {
      const std::chrono::seconds ttl(
          std::clamp<std::int64_t>(number_in(told, "tokenTtl", 18'000), 1, kMaxTokenSeconds));
      token_ends_ = options_.clock->steady_now() + ttl - ttl / 10;
      return;
    }
    why = response.message();
  }
  token_.clear();
  // A server without a login API requires no login.
  if (why.empty()) {
    token_ends_ = SteadyTime::max();
    return;
  }
  refused(why);
}

NacosClient::Response NacosClient::call(const char* method, const std::string& path, const Parameters& parameters) {
  const bool logs_in = !options_.address.user.empty();
  bool fresh = false;
  if (logs_in && options_.clock->steady_now() >= token_ends_) {
    log_in();
    fresh = true;
  }
  Response response = call_once(method, path, parameters);
  if ((response.status == 401 || response.status == 403) && logs_in && !fresh) {
    log_in();
    response = call_once(method, path, parameters);
  }
  // The server may have been replaced by another version: detect it again with the next call.
  if (response.no_such_path()) api_ = options_.address.api;
  return response;
}

NacosClient::Parameters NacosClient::naming(NacosApi api) const {
  const NacosAddress& address = options_.address;
  // v1 has the group in the name; later versions accept both forms.
  const std::string name = api == NacosApi::kV1 ? address.group + "@@" + address.service : address.service;
  return {{"namespaceId", address.space}, {"groupName", address.group}, {"serviceName", name}};
}

NacosClient::Parameters NacosClient::naming(NacosApi api, const NacosInstance& instance) const {
  Parameters parameters = naming(api);
  parameters.insert(parameters.end(), {{"ip", instance.ip},
                                       {"port", std::to_string(instance.port)},
                                       {"clusterName", kDefaultCluster},
                                       {"ephemeral", "true"}});
  return parameters;
}

NacosClient::Response NacosClient::list(NacosApi api) {
  Parameters parameters = naming(api);
  parameters.emplace_back("healthyOnly", "false");
  return call("GET", base_of(api) + "/list", parameters);
}

void NacosClient::detect() {
  if (api_ != NacosApi::kDetect) return;
  for (const NacosApi api : {NacosApi::kV3, NacosApi::kV2, NacosApi::kV1}) {
    const Response response = list(api);
    if (response.no_such_path()) continue;
    require(response, "list the nodes");
    if (!response.json.is_structured()) continue;
    api_ = api;
    return;
  }
  throw Error(ErrorCode::kIo, "the server at " + options_.address.str() +
                                  " is not Nacos: it has none of /nacos/v1, /nacos/v2 and /nacos/v3");
}

void NacosClient::enter(const NacosInstance& instance) {
  const MutexLock lock(mutex_);
  detect();
  Parameters parameters = naming(api_, instance);
  parameters.insert(parameters.end(), {{"weight", "1.0"},
                                       {"enabled", "true"},
                                       {"healthy", "true"},
                                       {"metadata", event::dump_json(Json(instance.metadata))}});
  require(call("POST", base_of(api_), parameters), "register this node");
}

bool NacosClient::beat(const NacosInstance& instance) {
  const MutexLock lock(mutex_);
  detect();
  if (api_ == NacosApi::kV3) {
    Parameters parameters = naming(api_, instance);
    parameters.emplace_back("heartBeat", "true");
    const Response response = call("POST", base_of(api_), parameters);
    if (number_in(response.json, "code", 0) == kNotFoundV3) return false;
    require(response, "accept the heartbeat");
    return true;
  }
  const auto send = [&](NacosApi api) REQUIRES(mutex_) {
    Parameters parameters = naming(api, instance);
    // For heartbeats v2 requires the group in the name, too.
    for (auto& [name, value] : parameters) {
      if (name == "serviceName") value = options_.address.group + "@@" + options_.address.service;
    }
    if (full_beat_) {
      const Json beat{{"ip", instance.ip},
                      {"port", instance.port},
                      {"cluster", kDefaultCluster},
                      {"weight", 1.0},
                      {"scheduled", true},
                      {"metadata", instance.metadata},
                      {"serviceName", options_.address.group + "@@" + options_.address.service}};
      parameters.emplace_back("beat", event::dump_json(beat));
    }
    return call("PUT", base_of(api) + "/beat", parameters);
  };
  Response response = send(api_);
  if (response.no_such_path()) {
    // The first servers with v2 lack its heartbeat API.
    api_ = NacosApi::kV1;
    response = send(api_);
  }
  if (response.status == 400 && !full_beat_ && response.body.find("beat") != std::string::npos) {
    full_beat_ = true;
    response = send(api_);
  }
  const std::int64_t code = number_in(response.json, "code", 0);
  if (code == kNotFoundV1) return false;
  if (response.status != 200) require(response, "accept the heartbeat");
  if (const std::int64_t interval = number_in(response.json, "clientBeatInterval", 0); interval > 0)
    beat_interval_ = std::chrono::milliseconds(std::min(interval, kMaxBeatMillis));
  return true;
}

void NacosClient::remove(const NacosInstance& instance) {
  const MutexLock lock(mutex_);
  detect();
  require(call("DELETE", base_of(api_), naming(api_, instance)), "deregister this node");
}

std::vector<NacosInstance> NacosClient::instances() {
  const MutexLock lock(mutex_);
  detect();
  const Response response = list(api_);
  require(response, "list the nodes");
  return nacos_instances_in(response.json);
}

std::chrono::milliseconds NacosClient::beat_interval() const {
  const MutexLock lock(mutex_);
  return beat_interval_;
}

std::string NacosClient::api() const {
  const MutexLock lock(mutex_);
  static constexpr std::array<const char*, 4> kNames{"", "v1", "v2", "v3"};
  return kNames.at(static_cast<std::size_t>(api_));
}

}  // namespace sse::cluster
