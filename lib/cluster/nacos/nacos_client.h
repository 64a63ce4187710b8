#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "cluster/nacos/nacos_address.h"
#include "event/json.h"

namespace sse::cluster {

/// An instance of a service in Nacos: one running program.
struct NacosInstance {
  std::string ip;
  int port = 0;
  std::map<std::string, std::string> metadata;
  bool healthy = true;
  bool enabled = true;
  std::string cluster{};  ///< empty: that of the address
};

/// Parses the instances in the reply to a list request, in the format of any version of Nacos; returns none if it is
/// not a list. Invalid entries are skipped.
std::vector<NacosInstance> nacos_instances_in(const event::Json& answer);

/// A client of Nacos' naming service over its open HTTP API: one service in one group and namespace, with ephemeral
/// instances, which expire without heartbeats. Detects the generation of the API that the server supports. Logs in if
/// there is a password, and again when the token is about to expire or is refused; signs requests if there is an access
/// key. Thread safe; may block for `timeout` per server of the address.
///
/// Nacos with authentication off may refuse a log-in, too, and needs none: a request is then sent without. Nacos knows
/// a user that was just created, and its rights, only some seconds later: callers that have just started try again.
///
/// Every call throws Error: kUnavailable when no server replies, kPermissionDenied when the log-in or the request is
/// refused, kIo with the message of Nacos for other errors.
class NacosClient {
 public:
  struct Options {
    NacosAddress address;
    std::chrono::milliseconds timeout{2000};
    const Clock* clock = &Clock::system();  ///< must outlive the client
    std::string access_key{};               ///< of Alibaba Cloud's resource access management; empty: none
    std::string secret_key{};               ///< that belongs to it
    std::string ca_file{};  ///< PEM file, for https: trusts only these certificates; empty: those of the system
    /// Name of the entry of the metadata that is a secret. Old servers take metadata only in the URL, which Nacos
    /// writes to its access log; a warning says so. With `omit_secret` the entry is left out there.
    std::string secret_entry{};
    bool omit_secret = false;
  };
  explicit NacosClient(Options options);
  ~NacosClient();
  NacosClient(const NacosClient&) = delete;
  NacosClient& operator=(const NacosClient&) = delete;

  /// Registers the instance, or replaces its metadata.
  void enter(const NacosInstance& instance) EXCLUDES(mutex_);
  /// Sends a heartbeat; false if Nacos does not know the instance (any more): enter() it again.
  bool beat(const NacosInstance& instance) EXCLUDES(mutex_);
  void remove(const NacosInstance& instance) EXCLUDES(mutex_);
  /// Returns all instances, including unhealthy and disabled ones. Nacos may be a second behind.
  std::vector<NacosInstance> instances() EXCLUDES(mutex_);

  /// The heartbeat interval that Nacos requests.
  std::chrono::milliseconds beat_interval() const EXCLUDES(mutex_);
  /// `v1`, `v2` or `v3`; empty until it is known.
  std::string api() const EXCLUDES(mutex_);

 private:
  using Parameters = std::vector<std::pair<std::string, std::string>>;
  struct Response {
    int status = 0;
    std::string body;
    event::Json json;  ///< null if the body is not JSON

    /// The path does not exist, as opposed to a service that does not exist.
    bool no_such_path() const;
    /// The log-in or the request is refused.
    bool denied() const;
    /// The error, in the words of Nacos.
    std::string message() const;
  };
  /// Where the parameters of a request are.
  enum class Place : unsigned char { kUrl, kBody };

  void detect() REQUIRES(mutex_);
  Response call(const char* method, const std::string& path, const Parameters& parameters, Place place = Place::kUrl)
      REQUIRES(mutex_);
  Response call_once(const char* method, const std::string& path, const Parameters& parameters, Place place)
      REQUIRES(mutex_);
  std::string attempt(const char* method, const std::string& path, const std::string& form, Place place,
                      Response& response) REQUIRES(mutex_);
  void log_in() REQUIRES(mutex_);
  const std::string& cluster_of(const NacosInstance& instance) const;
  std::string base_of(NacosApi api) const;
  Parameters naming(NacosApi api) const;
  Parameters naming(NacosApi api, const NacosInstance& instance) const;
  void sign(Parameters& parameters) const;
  /// The metadata as JSON text. In the URL possibly without the secret, see Options::secret_entry.
  std::string metadata_of(const NacosInstance& instance, Place place) REQUIRES(mutex_);
  Response list(NacosApi api) REQUIRES(mutex_);
  void require(const Response& response, const char* what) REQUIRES(mutex_);
  [[noreturn]] void refused(const Response& response) REQUIRES(mutex_);

  const Options options_;

  mutable Mutex mutex_;
  std::vector<std::unique_ptr<class NacosServer>> servers_ GUARDED_BY(mutex_);
  std::size_t current_ GUARDED_BY(mutex_) = 0;
  NacosApi api_ GUARDED_BY(mutex_);
  bool full_beat_ GUARDED_BY(mutex_) = false;     // a server older than 1.3 requires all fields in each heartbeat
  bool loses_bodies_ GUARDED_BY(mutex_) = false;  // 1.3 and 1.4 with authentication off read no form bodies
  bool warned_of_log_ GUARDED_BY(mutex_) = false;
  std::string token_ GUARDED_BY(mutex_);
  SteadyTime token_ends_ GUARDED_BY(mutex_){};
  std::string login_refusal_
      GUARDED_BY(mutex_);  // of the most recent log-in; empty: it was accepted, or none is needed
  std::chrono::milliseconds beat_interval_ GUARDED_BY(mutex_){5000};
};

}  // namespace sse::cluster
