#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "auth/jwt_keys.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace sse::net {
class HttpCaller;
}

namespace sse::auth {

/// The signature keys of an OpenID provider, found by OpenID Connect Discovery 1.0:
/// `ISSUER/.well-known/openid-configuration` names the JWKS document. A thread of its own reads both at once, again
/// every hour, and again for a key id that is unknown, but not more often than every 30 seconds: the keys of a provider
/// change, and any client can send tokens with key ids that do not exist. Until the provider answers the first time, it
/// is tried again every few seconds; afterwards its last keys stay valid while it is down. Thread safe.
///
/// Why a fetch is not made by the caller that needs it: a provider that is slow would hold as many threads as there are
/// requests. At most kMaxWaiting callers wait for the fetch in progress, for its timeout at most.
class IssuerKeys {
 public:
  static constexpr std::size_t kMaxWaiting = 8;

  struct Options {
    std::string issuer;   ///< https://…, or http://… of this machine
    std::string ca_file;  ///< PEM certificates that are trusted instead of those of the system; empty: the system's
    std::chrono::milliseconds timeout{5000};  ///< of each of the two requests
    std::chrono::milliseconds reread{30'000};
    std::chrono::milliseconds refresh = std::chrono::hours(1);
    std::chrono::milliseconds retry{5000};
    const Clock* clock = &Clock::system();  ///< outlives this
  };

  /// Starts to read. Throws Error(kInvalidArgument) as check().
  explicit IssuerKeys(Options options);
  ~IssuerKeys();
  IssuerKeys(const IssuerKeys&) = delete;
  IssuerKeys& operator=(const IssuerKeys&) = delete;

  /// Whether `issuer` is a URL, so that its keys can be found.
  static bool is_discoverable(std::string_view issuer);
  /// Throws Error(kInvalidArgument) that names the option for an issuer without TLS on another machine, and for a URL
  /// or a file that cannot be used.
  static void check(const Options& options);
  /// Reads the keys once. Throws Error: kUnavailable or kTimeout when the provider does not answer, kInvalidArgument
  /// when its answer cannot be used.
  static JwtKeys fetch(const Options& options) {
    return fetch(options, [](net::HttpCaller*) {});
  }

  /// The keys for a token with this key id (empty: it names none). May wait for a fetch in progress. Throws
  /// Error(kUnavailable) until the provider has answered once.
  std::shared_ptr<const JwtKeys> keys_for(std::string_view key_id) EXCLUDES(mutex_);
  /// Reads the keys again soon.
  void reload() EXCLUDES(mutex_);
  /// Ends fetches and waits; later calls throw.
  void stop() EXCLUDES(mutex_);

 private:
  /// `calling` receives the client of each request while it lasts, then null.
  static JwtKeys fetch(const Options& options, const std::function<void(net::HttpCaller*)>& calling);
  static std::string get(const std::string& url, const Options& options,
                         const std::function<void(net::HttpCaller*)>& calling);
  void run() EXCLUDES(mutex_);
  void set_call(net::HttpCaller* call) EXCLUDES(mutex_);
  void fetch_once() EXCLUDES(mutex_);
  bool known(std::string_view key_id) const REQUIRES(mutex_);

  const Options options_;
  std::thread thread_;
  Mutex mutex_;
  CondVar changed_;
  std::shared_ptr<const JwtKeys> keys_ GUARDED_BY(mutex_);
  SteadyTime fetched_ GUARDED_BY(mutex_);               // when the last fetch began
  SteadyTime next_ GUARDED_BY(mutex_);                  // when the next one is due
  bool fetching_ GUARDED_BY(mutex_) = true;             // until the first fetch has ended, callers wait
  net::HttpCaller* call_ GUARDED_BY(mutex_) = nullptr;  // the request in progress
  std::size_t waiting_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace sse::auth
