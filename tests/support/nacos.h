#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/mutex.h"
#include "event/json.h"

namespace sse::testing {

/// A fake Nacos server with real sockets: the documented HTTP API of the naming service and the login, for the
/// generations 1 (v1), 2 (v1 and v2) and 3 (v3 client API). Used because the package registries available to this
/// project do not offer Nacos. It imitates the behaviour that affects clients, as seen in 1.4.8, 2.5.1 and 3.0.3:
/// instances become unhealthy and are removed without heartbeats, at checks a few seconds apart; metadata set those
/// times and are limited to 1024 characters; lists lag behind changes, and leave out disabled instances; tokens expire;
/// each generation refuses a log-in, and an API that it no longer has, in its own form; 1 with authentication off reads
/// no form bodies; unknown paths are answered as Spring does; and a restart loses all instances.
class FakeNacos {
 public:
  struct Options {
    int generation = 3;  ///< 1, 2 or 3
    std::string user;    ///< empty: authentication is off, and every login is refused
    std::string password;
    std::size_t refused_logins = 0;  ///< so many first ones are refused, as of a user created a moment ago
    bool no_rights = false;          ///< the user may log in and nothing else
    std::string access_key;          ///< requests must be signed with it; empty: need not
    std::string secret_key;
    std::string context = "/nacos";
    std::string tls_certificate;  ///< PEM files: it speaks https
    std::string tls_key;
    std::chrono::milliseconds unhealthy_after{15'000};  ///< without heartbeat, unless set in the metadata
    std::chrono::milliseconds removed_after{30'000};
    std::chrono::milliseconds check_every{4000};  ///< when instances without heartbeat are removed
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
    return (options_.tls_key.empty() ? "nacos://" : "nacos+https://") + login + "127.0.0.1:" + std::to_string(port_) +
           "/public/tests/sse";
  }

  /// Stops the server and drops its state; start() starts it empty on the same port.
  void kill();
  void start();
  /// Stops answering until thaw(): requests hang.
  void freeze() EXCLUDES(mutex_);
  void thaw() EXCLUDES(mutex_);
  /// What an operator does with the instances that have this value of the metadata `sse-id`.
  void set_enabled(const std::string& id, bool enabled) EXCLUDES(mutex_);
  /// Expires all tokens.
  void end_tokens() EXCLUDES(mutex_);

  /// Number of live instances of the tests' service.
  std::size_t instances() EXCLUDES(mutex_);
  std::uint64_t requests(const std::string& method_and_path) EXCLUDES(mutex_);
  std::uint64_t logins() EXCLUDES(mutex_);
  /// The most recent value of a parameter of a request to register an instance; empty if none has it.
  std::string registered_with(const std::string& parameter) EXCLUDES(mutex_);
  /// Whether the URL of a request had this text, decoded.
  bool is_in_access_log(const std::string& text) EXCLUDES(mutex_);

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
    std::set<std::string> disabled;  // outlives the instance
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
  std::map<std::string, std::string> registered_ GUARDED_BY(mutex_);
  std::string access_log_ GUARDED_BY(mutex_);
  std::unique_ptr<Server> server_;
};

}  // namespace sse::testing
