#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "cluster/nacos_address.h"
#include "event/json.h"

namespace sse::cluster {

/// One program that a service consists of, as Nacos knows it.
struct NacosInstance {
  std::string ip;
  int port = 0;
  std::map<std::string, std::string> metadata;
  bool healthy = true;
  bool enabled = true;
};

/// The instances in an answer to a list, in the form of any version of Nacos; none in what is no list. What makes no
/// sense in it is left out.
std::vector<NacosInstance> nacos_instances_in(const event::Json& answer);

/// Nacos' naming service over its open HTTP API: one service in one group and namespace, instances that live as long as
/// their heartbeats come. Finds out by itself which generation of the API the server speaks, logs in where it has a
/// password, and again when the token is about to end or is refused. Thread safe; may block as long as `timeout` for
/// every server of the address.
///
/// Every call throws Error: kUnavailable when no server answers, kPermissionDenied when the login is refused, kIo with
/// Nacos' own words for anything else.
class NacosClient {
 public:
  struct Options {
    NacosAddress address;
    std::chrono::milliseconds timeout{2000};
    const Clock* clock = &Clock::system();  ///< outlives the client
  };
  explicit NacosClient(Options options);
  ~NacosClient();
  NacosClient(const NacosClient&) = delete;
  NacosClient& operator=(const NacosClient&) = delete;

  /// Enters the instance, or replaces what was said about it.
  void enter(const NacosInstance& instance) EXCLUDES(mutex_);
  /// Says that the instance lives; false when Nacos does not know it (any more): enter() it again.
  bool beat(const NacosInstance& instance) EXCLUDES(mutex_);
  void remove(const NacosInstance& instance) EXCLUDES(mutex_);
  /// All, the unhealthy and disabled ones included. Nacos may be behind by a second.
  std::vector<NacosInstance> instances() EXCLUDES(mutex_);

  /// How often Nacos wants to hear of an instance.
  std::chrono::milliseconds beat_interval() const EXCLUDES(mutex_);
  /// `v1`, `v2`, `v3`; empty while not known.
  std::string api() const EXCLUDES(mutex_);

 private:
  using Parameters = std::vector<std::pair<std::string, std::string>>;
  struct Response {
    int status = 0;
    std::string body;
    event::Json json;  ///< null where the body is no JSON

    /// There is no such path: not the same as a service that does not exist.
    bool no_such_path() const;
    /// What went wrong, in Nacos' words.
    std::string message() const;
  };

  void detect() REQUIRES(mutex_);
  Response call(const char* method, const std::string& path, const Parameters& parameters) REQUIRES(mutex_);
  Response call_once(const char* method, const std::string& path, const Parameters& parameters) REQUIRES(mutex_);
  void log_in() REQUIRES(mutex_);
  Parameters naming(NacosApi api) const;
  Parameters naming(NacosApi api, const NacosInstance& instance) const;
  Response list(NacosApi api) REQUIRES(mutex_);
  void require(const Response& response, const char* what) const;
  [[noreturn]] void refused(const std::string& why) const;

  const Options options_;

  mutable Mutex mutex_;
  std::vector<std::unique_ptr<class NacosServer>> servers_ GUARDED_BY(mutex_);
  std::size_t current_ GUARDED_BY(mutex_) = 0;
  NacosApi api_ GUARDED_BY(mutex_);
  bool full_beat_ GUARDED_BY(mutex_) = false;  // a server older than 1.3 wants everything with every heartbeat
  std::string token_ GUARDED_BY(mutex_);
  SteadyTime token_ends_ GUARDED_BY(mutex_){};
  std::chrono::milliseconds beat_interval_ GUARDED_BY(mutex_){5000};
};

}  // namespace sse::cluster
