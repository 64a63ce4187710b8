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
#include "net/host_resolver.h"

namespace httplib {
class Client;
}

namespace sse::gateway {

/// Calls one URL of another program over cpp-httplib, connections kept alive between calls. Thread safe; each call
/// blocks its thread, for the time limit at most, in which the host name is looked up, too. No call waits for another
/// one, but that all who need a new connection share one look-up of the name.
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
  /// `clock` ends calls that take too long, and outlives this. `look_up`: of the host's name; empty: the system's.
  HttpCaller(const std::string& url, const std::string& option, std::chrono::milliseconds timeout,
             const Clock& clock = Clock::system(), net::HostResolver::LookUp look_up = {});
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
  using ClientRef = std::shared_ptr<httplib::Client>;

  /// Null where none is idle.
  ClientRef take_idle() EXCLUDES(mutex_);
  ClientRef connectable() const;
  void give_back(ClientRef client) EXCLUDES(mutex_);
  void begin_call(SteadyTime deadline, const ClientRef& client) EXCLUDES(mutex_);
  /// False: its time was over.
  bool end_call(SteadyTime deadline, const ClientRef& client) EXCLUDES(mutex_);
  ClientRef next_overdue() EXCLUDES(mutex_);
  void watch() EXCLUDES(mutex_);

  const std::chrono::milliseconds timeout_;
  const Clock& clock_;
  std::string base_;  // scheme, host and port
  std::string host_;
  std::string path_;
  std::unique_ptr<net::HostResolver> resolver_;
  std::thread watcher_;

  Mutex mutex_;
  CondVar changed_;
  std::vector<ClientRef> idle_ GUARDED_BY(mutex_);
  // Calls under way by their deadline: cpp-httplib limits each read, not the whole, so that an answer that drips could
  // hold a thread for ever. A client holds a lock of its own while it connects, so that stop() of it may wait: it is
  // never called with mutex_ held.
  std::multimap<SteadyTime, ClientRef> running_ GUARDED_BY(mutex_);
  bool stopped_ GUARDED_BY(mutex_) = false;
};

}  // namespace sse::gateway
