#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/mutex.h"
#include "event/json.h"

namespace sse::testing {

/// A fake Nacos server with real sockets: the documented HTTP API of the naming service and the login, for the
/// generations 1 (v1), 2 (v1 and v2) and 3 (v3 client API). Used because the package registries available to this
/// project do not offer Nacos. It imitates the behaviour that affects clients: instances become unhealthy and are
/// removed without heartbeats, metadata set those times and are limited to 1024 characters, lists lag behind changes,
/// tokens expire, unknown paths are answered as Spring does, and a restart loses all instances.
class FakeNacos {
 public:
  struct Options {
    int generation = 3;  ///< 1, 2 or 3
    std::string user;    ///< empty: no login required
    std::string password;
    std::chrono::milliseconds unhealthy_after{15'000};  ///< without heartbeat, unless set in the metadata
    std::chrono::milliseconds removed_after{30'000};
    std::chrono::milliseconds list_lag{500};
    std::chrono::seconds token_ttl{18'000};
    bool full_beats = false;                ///< as before 1.3: a heartbeat contains the whole instance
    const Clock* clock = &Clock::system();  ///< for all expiry and lag
  };

  explicit FakeNacos(Options options);
  FakeNacos() : FakeNacos(Options{}) {}
  ~FakeNacos();
  FakeNacos(const FakeNacos&) = delete;
  FakeNacos& operator=(const FakeNacos&) = delete;

  int port() const { return port_; }
  /// `login`: "user:password@" or empty.
  std::string url(const std::string& login = "") const {
    return "nacos://" + login + "127.0.0.1:" + std::to_string(port_) + "/public/tests/sse";
  }

  /// Stops the server and drops its state; start() starts it empty on the same port.
  void kill();
  void start();
  /// Stops answering until thaw(): requests hang.
  void freeze() EXCLUDES(mutex_);
  void thaw() EXCLUDES(mutex_);
  /// Expires all tokens.
  void end_tokens() EXCLUDES(mutex_);

  /// Number of live instances of the tests' service.
  std::size_t instances() EXCLUDES(mutex_);
  std::uint64_t requests(const std::string& method_and_path) EXCLUDES(mutex_);
  std::uint64_t logins() EXCLUDES(mutex_);

 private:
  struct Instance {
    event::Json shown;
    std::chrono::steady_clock::time_point last_heartbeat;
    std::chrono::milliseconds unhealthy_after;
    std::chrono::milliseconds removed_after;
  };
  struct Service {
    std::map<std::string, Instance> instances;
    std::map<std::string, Instance> listed;
    std::chrono::steady_clock::time_point stale_since{};
    bool stale = false;
  };
  class Server;
  friend class Server;

  Service& service(const std::string& key) REQUIRES(mutex_);
  void touch(Service& service) REQUIRES(mutex_);
  void expire(std::map<std::string, Instance>& instances) const REQUIRES(mutex_);

  const Options options_;
  int port_ = 0;
  Mutex mutex_;
  CondVar changed_;
  bool frozen_ GUARDED_BY(mutex_) = false;
  std::map<std::string, Service> services_ GUARDED_BY(mutex_);
  std::map<std::string, std::chrono::steady_clock::time_point> tokens_ GUARDED_BY(mutex_);
  std::map<std::string, std::uint64_t> requests_ GUARDED_BY(mutex_);
  std::uint64_t logins_ GUARDED_BY(mutex_) = 0;
  std::unique_ptr<Server> server_;
};

}  // namespace sse::testing
