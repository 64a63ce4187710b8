#include "support/nacos.h"

// The part of FakeNacos without its HTTP server.
namespace sse::testing {

using std::chrono::steady_clock;

void FakeNacos::freeze() {
  const MutexLock lock(mutex_);
  frozen_ = true;
}

void FakeNacos::thaw() {
  const MutexLock lock(mutex_);
  frozen_ = false;
  changed_.notify_all();
}

void FakeNacos::set_enabled(const std::string& id, bool enabled) {
  const MutexLock lock(mutex_);
  for (auto& [name, service] : services_) {
    for (const auto& [key, instance] : service.instances) {
      if (instance.shown["metadata"].value("sse-id", "") != id) continue;
      if (enabled) {
        service.disabled.erase(key);
      } else {
        service.disabled.insert(key);
      }
    }
  }
}

std::string FakeNacos::registered_with(const std::string& parameter) {
  const MutexLock lock(mutex_);
  return registered_[parameter];
}

bool FakeNacos::is_in_access_log(const std::string& text) {
  const MutexLock lock(mutex_);
  return access_log_.find(text) != std::string::npos;
}

void FakeNacos::end_tokens() {
  const MutexLock lock(mutex_);
  tokens_.clear();
}

void FakeNacos::expire(std::map<std::string, Instance>& instances) const {
  const auto now = options_.clock->steady_now();
  const auto last_check = now - now.time_since_epoch() % options_.check_every;
  std::erase_if(instances, [&](const auto& entry) {
    return last_check - entry.second.last_heartbeat >= entry.second.removed_after;
  });
}

FakeNacos::Service& FakeNacos::service(const std::string& key) {
  Service& service = services_[key];
  const std::size_t before = service.instances.size();
  expire(service.instances);
  if (service.instances.size() != before) touch(service);
  if (service.stale && options_.clock->steady_now() - service.stale_since >= options_.list_lag) {
    service.listed = service.instances;
    service.stale = false;
  }
  return service;
}

void FakeNacos::touch(Service& service) {
  if (service.stale) return;
  service.stale = true;
  service.stale_since = options_.clock->steady_now();
}

std::size_t FakeNacos::instances() {
  const MutexLock lock(mutex_);
  return service("public##tests@@sse").instances.size();
}

std::uint64_t FakeNacos::requests(const std::string& method_and_path) {
  const MutexLock lock(mutex_);
  return requests_[method_and_path];
}

std::uint64_t FakeNacos::logins() {
  const MutexLock lock(mutex_);
  return logins_;
}

}  // namespace sse::testing
