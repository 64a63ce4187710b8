#include "support/nacos.h"

#include <httplib.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <random>
#include <stdexcept>

#include "base/text.h"
#include "base/url.h"

namespace sse::testing {

using event::Json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr std::size_t kMaxMetadata = 1024;

void json(httplib::Response& response, int status, const Json& body) {
  response.status = status;
  response.set_content(event::dump_json(body), "application/json");
}

// What 3 says about an API of earlier generations: its document is in Spring's.
void gone(const httplib::Request& request, httplib::Response& response) {
  const Json inner{{"code", 410}, {"message", "Current API is removed, please use the v3 API"}, {"data", nullptr}};
  json(response, 410,
       {{"timestamp", "2024-01-01T00:00:00.000+00:00"},
        {"status", 410},
        {"error", "Gone"},
        {"message", event::dump_json(inner)},
        {"path", request.path}});
}

void incompatible(const httplib::Request&, httplib::Response& response) {
  json(response, 403,
       {{"status", 403}, {"message", "Current API is for compatibility, set nacos.core.api.compatibility"}});
}

// What Spring says about a path without a handler.
void no_such_path(const httplib::Request& request, httplib::Response& response) {
  json(response, 404,
       {{"timestamp", "2024-01-01T00:00:00.000+00:00"},
        {"status", 404},
        {"error", "Not Found"},
        {"path", request.path}});
}

milliseconds time_in(const Json& metadata, const char* name, milliseconds fallback) {
  const auto found = metadata.find(name);
  return found == metadata.end() ? fallback : milliseconds(std::stoll(found->get<std::string>()));
}

}  // namespace

class FakeNacos::Server {
 public:
  Server(FakeNacos& nacos, int port) : nacos_(nacos), http_(make(nacos.options_)) {
    const int generation = nacos_.options_.generation;
    const std::string& context = nacos_.options_.context;
    if (generation <= 2) routes(1, context + "/v1/ns/instance");
    if (generation == 2) routes(2, context + "/v2/ns/instance");
    if (generation == 3) {
      routes(3, context + "/v3/client/ns/instance");
      http_->Get(context + "/v[12]/.*", &gone);
      http_->Post(context + "/v[12]/ns/.*", &gone);
      http_->Put(context + "/v[12]/.*", &gone);
      http_->Post(context + "/v1/auth/.*", &incompatible);
    }
    const auto login = [this](const httplib::Request& q, httplib::Response& r) { log_in(q, r); };
    http_->Post(context + (generation == 3 ? "/v3/auth/user/login" : "/v1/auth/login"), login);
    http_->set_error_handler([](const httplib::Request& q, httplib::Response& r) {
      if (r.status == 404 && r.body.empty()) no_such_path(q, r);
    });
    http_->set_pre_routing_handler([this](const httplib::Request& q, httplib::Response&) {
      const MutexLock lock(nacos_.mutex_);
      ++nacos_.requests_[q.method + " " + q.path];
      nacos_.access_log_ += percent_decode(q.target) + "\n";
      while (nacos_.frozen_) nacos_.changed_.wait(nacos_.mutex_);
      return httplib::Server::HandlerResponse::Unhandled;
    });
    http_->set_keep_alive_max_count(1'000'000);
    http_->set_keep_alive_timeout(1);  // stop() waits for idle connections
    http_->set_tcp_nodelay(true);
    http_->new_task_queue = [] { return new httplib::ThreadPool(32); };
    port_ = port;
    const bool bound =
        port == 0 ? (port_ = http_->bind_to_any_port("127.0.0.1")) > 0 : http_->bind_to_port("127.0.0.1", port);
    if (!bound) throw std::runtime_error("the stand-in for Nacos cannot listen");
    thread_ = std::thread([this] { http_->listen_after_bind(); });
  }
  ~Server() {
    while (!http_->is_running()) std::this_thread::yield();
    http_->stop();
    thread_.join();
  }
  int port() const { return port_; }

 private:
  using Parameters = std::map<std::string, std::string>;

  static std::unique_ptr<httplib::Server> make(const Options& options) {
    if (options.tls_key.empty()) return std::make_unique<httplib::Server>();
    return std::make_unique<httplib::SSLServer>(options.tls_certificate.c_str(), options.tls_key.c_str());
  }

  void routes(int api, const std::string& base) {
    const auto guarded = [this, api](auto handle) {
      return [this, api, handle](const httplib::Request& request, httplib::Response& response) {
        Parameters parameters;
        if (loses_body(request, api)) {
          for (const auto& [name, value] : form_parameters(query_of(request.target))) parameters[name] = value;
        } else {
          for (const auto& [name, value] : request.params) parameters[name] = value;
        }
        if (const char* why = refusal(request, parameters); why != nullptr) {
          json(response, 403,
               {{"timestamp", ""}, {"status", 403}, {"code", 403}, {"error", "Forbidden"}, {"message", why}});
          return;
        }
        handle(api, parameters, response);
      };
    };
    http_->Post(base, guarded([this](int a, Parameters& p, httplib::Response& r) { enter(a, p, r); }));
    http_->Delete(base, guarded([this](int a, Parameters& p, httplib::Response& r) { remove(a, p, r); }));
    http_->Get(base + "/list", guarded([this](int a, Parameters& p, httplib::Response& r) { list(a, p, r); }));
    if (api != 3)
      http_->Put(base + "/beat", guarded([this](int a, Parameters& p, httplib::Response& r) { beat(a, p, r); }));
  }

  // As 1.3 and 1.4 with authentication off, their default.
  bool loses_body(const httplib::Request& request, int api) const {
    const Options& options = nacos_.options_;
    return api == 1 && options.generation == 1 && options.user.empty() && options.access_key.empty() &&
           request.method == "POST";
  }

  void log_in(const httplib::Request& request, httplib::Response& response) {
    const MutexLock lock(nacos_.mutex_);
    ++nacos_.logins_;
    const auto& options = nacos_.options_;
    const bool known = !options.user.empty() && request.get_param_value("username") == options.user &&
                       nacos_.logins_ > options.refused_logins;
    if (!known || request.get_param_value("password") != options.password) {
      refuse_login(known, response);
      return;
    }
    std::random_device random;
    const std::string token = "token-" + std::to_string(random()) + std::to_string(random());
    nacos_.tokens_[token] = nacos_.options_.clock->steady_now() + options.token_ttl;
    json(response, 200,
         {{"accessToken", token},
          {"tokenTtl", options.token_ttl.count()},
          {"globalAdmin", true},
          {"username", options.user}});
  }

  void refuse_login(bool known_user, httplib::Response& response) const {
    if (nacos_.options_.generation == 2) {
      response.status = 500;
      response.set_content("caused: user not found!;", "text/plain");
    } else if (nacos_.options_.generation == 3) {
      const int status = known_user ? 403 : 500;
      json(response, status, {{"code", status}, {"message", "user not found!"}, {"data", nullptr}});
    } else {
      json(response, 403, {{"timestamp", ""}, {"status", 403}, {"error", "Forbidden"}, {"message", "unknown user!"}});
    }
  }

  // Null if the request is allowed.
  const char* refusal(const httplib::Request& request, const Parameters& parameters) const {
    const auto& options = nacos_.options_;
    if (!options.access_key.empty()) return is_signed(parameters) ? nullptr : "access denied";
    if (options.user.empty()) return nullptr;
    std::string token = request.get_header_value("accessToken");
    if (token.empty()) token = request.get_param_value("accessToken");
    if (token.empty() && request.get_header_value("Authorization").starts_with("Bearer "))
      token = request.get_header_value("Authorization").substr(7);
    const MutexLock lock(nacos_.mutex_);
    const auto found = nacos_.tokens_.find(token);
    if (found == nacos_.tokens_.end() || found->second <= options.clock->steady_now()) return "user not found!";
    return options.no_rights ? "authorization failed!" : nullptr;
  }

  bool is_signed(const Parameters& p) const {
    const auto value = [&](const char* name) { return p.contains(name) ? p.at(name) : std::string(); };
    const std::string data = value("data");
    const std::string& key = nacos_.options_.secret_key;
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    HMAC(EVP_sha1(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(data.data()),
         data.size(), digest.data(), &size);
    std::array<unsigned char, 2 * EVP_MAX_MD_SIZE> encoded{};
    EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(size));
    return value("ak") == nacos_.options_.access_key && data.ends_with("@@tests@@sse") &&
           value("signature") == reinterpret_cast<const char*>(encoded.data());
  }

  // v1 has the group in front of the name; the others have both apart, but for v2's heartbeat.
  static std::string service_key(const Parameters& p) {
    const auto value = [&](const char* name, const char* fallback) {
      const auto found = p.find(name);
      return found == p.end() || found->second.empty() ? std::string(fallback) : found->second;
    };
    std::string name = value("serviceName", "");
    if (name.find("@@") == std::string::npos) name = value("groupName", "DEFAULT_GROUP") + "@@" + name;
    return value("namespaceId", "public") + "##" + name;
  }

  static std::string cluster_of(const Parameters& p) {
    const auto cluster = p.find("clusterName");
    return cluster == p.end() ? "DEFAULT" : cluster->second;
  }
  static std::string instance_key(const Parameters& p) { return p.at("ip") + "#" + p.at("port") + "#" + cluster_of(p); }

  void ok(int api, httplib::Response& response) {
    if (api == 1) {
      response.set_content("ok", "text/plain");
    } else {
      json(response, 200, {{"code", 0}, {"message", "success"}, {"data", "ok"}});
    }
  }

  void enter(int api, const Parameters& p, httplib::Response& response) {
    if (api == 1 && !p.contains("serviceName")) {
      response.status = 400;
      response.set_content("caused: Param 'serviceName' is required.;", "text/plain");
      return;
    }
    if (!p.contains("ip") || !p.contains("port") || !p.contains("serviceName")) {
      json(response, 400, {{"code", 10000}, {"message", "parameter missing"}, {"data", nullptr}});
      return;
    }
    const auto told = p.find("heartBeat");
    const bool heart = api == 3 && told != p.end() && told->second == "true";
    const MutexLock lock(nacos_.mutex_);
    Service& service = nacos_.service(service_key(p));
    const std::string key = instance_key(p);
    if (heart) {
      const auto found = service.instances.find(key);
      if (found == service.instances.end()) {
        json(response, 200, {{"code", 21003}, {"message", "instance not found"}, {"data", nullptr}});
        return;
      }
      found->second.last_heartbeat = nacos_.options_.clock->steady_now();
      ok(api, response);
      return;
    }
    Json metadata = Json::object();
    if (const auto given = p.find("metadata"); given != p.end()) metadata = Json::parse(given->second);
    std::size_t size = 0;
    for (const auto& [name, value] : metadata.items()) size += name.size() + value.get<std::string>().size();
    if (api != 1 && size > kMaxMetadata) {
      json(response, 400,
           {{"code", 400}, {"message", "Param 'metadata' is illegal, the param length should not exceed 1024."}});
      return;
    }
    for (const auto& [name, value] : p) nacos_.registered_[name] = value;
    // An operator's word outlives a registration from 2 on.
    if (api == 1) service.disabled.erase(key);
    put(service, key, p, metadata);
    ok(api, response);
  }

  void put(Service& service, const std::string& key, const Parameters& p, const Json& metadata)
      REQUIRES(nacos_.mutex_) {
    Instance& instance = service.instances[key];
    instance.last_heartbeat = nacos_.options_.clock->steady_now();
    instance.unhealthy_after = time_in(metadata, "preserved.heart.beat.timeout", nacos_.options_.unhealthy_after);
    instance.removed_after = time_in(metadata, "preserved.ip.delete.timeout", nacos_.options_.removed_after);
    instance.shown = {
        {"instanceId", key}, {"ip", p.at("ip")},  {"port", std::stoi(p.at("port"))}, {"weight", 1.0},
        {"enabled", true},   {"ephemeral", true}, {"clusterName", cluster_of(p)},    {"metadata", metadata}};
    nacos_.touch(service);
  }

  void remove(int api, const Parameters& p, httplib::Response& response) {
    const MutexLock lock(nacos_.mutex_);
    Service& service = nacos_.service(service_key(p));
    service.instances.erase(instance_key(p));
    nacos_.touch(service);
    ok(api, response);
  }

  void beat(int, const Parameters& p, httplib::Response& response) {
    const MutexLock lock(nacos_.mutex_);
    // The group is in the name here, whatever the generation.
    if (p.at("serviceName").find("@@") == std::string::npos || (nacos_.options_.full_beats && !p.contains("beat"))) {
      response.status = 400;
      response.set_content("caused: Param 'beat' is required.;", "text/plain");
      return;
    }
    Service& service = nacos_.service(service_key(p));
    nacos_.expire(service.instances);
    auto found = service.instances.find(instance_key(p));
    if (found == service.instances.end() && p.contains("beat")) {
      put(service, instance_key(p), p, Json::parse(p.at("beat"))["metadata"]);
      found = service.instances.find(instance_key(p));
    }
    if (found == service.instances.end()) {
      json(response, 200, {{"clientBeatInterval", 5000}, {"code", 20404}, {"lightBeatEnabled", true}});
      return;
    }
    found->second.last_heartbeat = nacos_.options_.clock->steady_now();
    const Json& metadata = found->second.shown["metadata"];
    json(response, 200,
         {{"clientBeatInterval", time_in(metadata, "preserved.heart.beat.interval", milliseconds(5000)).count()},
          {"code", 10200},
          {"lightBeatEnabled", true}});
  }

  void list(int api, const Parameters& p, httplib::Response& response) {
    const MutexLock lock(nacos_.mutex_);
    const std::string key = service_key(p);
    Service& service = nacos_.service(key);
    Json hosts = Json::array();
    for (const auto& [name, instance] : service.listed) {
      if (service.disabled.contains(name)) continue;
      Json shown = instance.shown;
      const auto live = service.instances.find(name);
      const auto last_heartbeat =
          live == service.instances.end() ? instance.last_heartbeat : live->second.last_heartbeat;
      shown["healthy"] = nacos_.options_.clock->steady_now() - last_heartbeat < instance.unhealthy_after;
      hosts.push_back(std::move(shown));
    }
    if (api == 3) {
      json(response, 200, {{"code", 0}, {"message", "success"}, {"data", hosts}});
      return;
    }
    const std::string name = key.substr(key.find("##") + 2);
    const Json info{{"name", name},   {"groupName", name.substr(0, name.find("@@"))},
                    {"clusters", ""}, {"cacheMillis", 10000},
                    {"hosts", hosts}, {"lastRefTime", 0},
                    {"checksum", ""}, {"allIPs", false},
                    {"valid", true},  {"reachProtectionThreshold", false}};
    json(response, 200, api == 1 ? info : Json{{"code", 0}, {"message", "success"}, {"data", info}});
  }

  FakeNacos& nacos_;
  const std::unique_ptr<httplib::Server> http_;
  int port_ = 0;
  std::thread thread_;
};

FakeNacos::FakeNacos(Options options) : options_(std::move(options)) {
  start();
}

FakeNacos::~FakeNacos() {
  kill();
}

void FakeNacos::start() {
  server_ = std::make_unique<Server>(*this, port_);
  port_ = server_->port();
}

void FakeNacos::kill() {
  thaw();
  server_.reset();
  const MutexLock lock(mutex_);
  services_.clear();
  tokens_.clear();
}

}  // namespace sse::testing
