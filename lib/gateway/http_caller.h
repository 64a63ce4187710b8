#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"

namespace httplib {
class Client;
}

namespace sse::gateway {

/// Calls one URL of another program over cpp-httplib, connections kept alive between calls. Thread safe; each call
/// blocks its thread, for the time limit at most (and as long as looking up a host name takes).
class HttpCaller {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;
  struct Request {
    Headers headers;
    std::string content_type = "application/json";
    std::string body;
    /// Instead of `body`: writes `length` bytes from `offset` into the sink, false to give up.
    std::function<bool(std::size_t offset, std::size_t length, const std::function<bool(const char*, std::size_t)>&)>
        stream;
    std::size_t stream_length = 0;
  };
  struct Answer {
    int status = 0;
    std::string content_type;
    std::string body;
  };

  /// `url`: `http://host:port/path` or https, given with `option`. Throws Error(kInvalidArgument) that names it.
  /// `clock` ends calls that take too long, and outlives this.
  HttpCaller(const std::string& url, const std::string& option, std::chrono::milliseconds timeout,
             const Clock& clock = Clock::system());
  ~HttpCaller();
  HttpCaller(const HttpCaller&) = delete;
  HttpCaller& operator=(const HttpCaller&) = delete;

  /// POSTs; returns whatever status came. Throws Error: kUnavailable when nothing answers, kTimeout when the answer was
  /// not complete in time, kTooLarge when it is over 1 MiB. The sentence names the URL's host, but is no secret.
  Answer post(const Request& request);
  std::chrono::milliseconds timeout() const { return timeout_; }
  /// Ends calls under way with kUnavailable; later ones fail at once.
  void stop() EXCLUDES(mutex_);

 private:
  std::unique_ptr<httplib::Client> take() EXCLUDES(mutex_);
  void give_back(std::unique_ptr<httplib::Client> client) EXCLUDES(mutex_);
  void watch() EXCLUDES(mutex_);

  const std::chrono::milliseconds timeout_;
  const Clock& clock_;
  std::string base_;  // scheme, host and port
  std::string path_;
  std::thread watcher_;

  Mutex mutex_;
  CondVar changed_;
  std::vector<std::unique_ptr<httplib::Client>> idle_ GUARDED_BY(mutex_);
  // Calls under way by their deadline: cpp-httplib limits each read, not the whole, so that an answer that drips could
  // hold a thread for ever.
  std::multimap<SteadyTime, httplib::Client*> running_ GUARDED_BY(mutex_);
  bool stopped_ GUARDED_BY(mutex_) = false;
};

}  // namespace sse::gateway
