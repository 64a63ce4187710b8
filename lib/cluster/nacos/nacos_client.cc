#include "cluster/nacos/nacos_client.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "cluster/core/typed_json.h"
#include "observe/log.h"

// Paths, parameters and responses as in the documentation of Nacos' open API (nacos.io, manual/user/open-api).
namespace sse::cluster {
namespace {

using event::Json;

constexpr std::int64_t kNotFoundV1 = 20404;  // for a heartbeat
constexpr std::int64_t kNotFoundV3 = 21003;
constexpr std::size_t kMaxInstances = 10'000;
constexpr std::int64_t kMaxBeatMillis = 60'000;

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
    instance.cluster = text_in(host, "clusterName");
    if (const auto metadata = host.find("metadata"); metadata != host.end() && metadata->is_object()) {
      for (const auto& [name, value] : metadata->items()) {
        if (value.is_string()) instance.metadata[name] = value.get<std::string>();
      }
    }
    instances.push_back(std::move(instance));
  }
  return instances;
}

const std::string& NacosClient::cluster_of(const NacosInstance& instance) const {
  return instance.cluster.empty() ? options_.address.cluster : instance.cluster;
}

std::string NacosClient::base_of(NacosApi api) const {
  const std::string& context = options_.address.context;
  switch (api) {
    case NacosApi::kV3:
      return context + "/v3/client/ns/instance";
    case NacosApi::kV2:
      return context + "/v2/ns/instance";
    default:
      return context + "/v1/ns/instance";
  }
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
                                       {"clusterName", cluster_of(instance)},
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
  throw Error(ErrorCode::kIo,
              "the server at " + options_.address.str() + " is not Nacos: it has none of " + options_.address.context +
                  "/v1, v2 and v3; if its context path is another one, add " + "?context=/PATH to the address");
}

std::string NacosClient::metadata_of(const NacosInstance& instance, Place place) {
  const auto secret = instance.metadata.find(options_.secret_entry);
  if (place == Place::kBody || secret == instance.metadata.end()) return event::dump_json(Json(instance.metadata));
  std::map<std::string, std::string> shown = instance.metadata;
  if (options_.omit_secret) {
    shown.erase(secret->first);
  } else if (!std::exchange(warned_of_log_, true)) {
    observe::log_warn(
        "Nacos takes metadata only in the URL, which it writes to its access log with the secret of this node; give "
        "all "
        "nodes a shared one (--cluster-secret-file), or turn on authentication in Nacos",
        {{"nacos", options_.address.str()}});
  }
  return event::dump_json(Json(shown));
}

void NacosClient::enter(const NacosInstance& instance) {
  const MutexLock lock(mutex_);
  detect();
  const auto post = [&](Place place) REQUIRES(mutex_) {
    Parameters parameters = naming(api_, instance);
    parameters.insert(
        parameters.end(),
        {{"weight", "1.0"}, {"enabled", "true"}, {"healthy", "true"}, {"metadata", metadata_of(instance, place)}});
    return call("POST", base_of(api_), parameters, place);
  };
  Response response = post(loses_bodies_ ? Place::kUrl : Place::kBody);
  if (api_ == NacosApi::kV1 && !loses_bodies_ && response.status == 400 &&
      response.body.find("is required") != std::string::npos) {
    loses_bodies_ = true;
    response = post(Place::kUrl);
  }
  require(response, "register this node");
}

bool NacosClient::beat(const NacosInstance& instance) {
  const MutexLock lock(mutex_);
  detect();
  if (api_ == NacosApi::kV3) {
    Parameters parameters = naming(api_, instance);
    parameters.emplace_back("heartBeat", "true");
    const Response response = call("POST", base_of(api_), parameters, Place::kBody);
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
                      {"cluster", cluster_of(instance)},
                      {"weight", 1.0},
                      {"scheduled", true},
                      {"metadata", Json::parse(metadata_of(instance, Place::kUrl))},
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
