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
struct Request;
}  // namespace httplib

namespace sse::net {

/// An HTTP client for one URL of another program, over cpp-httplib with connections kept alive between calls. Thread
/// safe. Each call blocks its thread for the time limit at most, which includes the look-up of the host name. Calls do
/// not wait for each other, except that calls that need a new connection share one look-up of the name.
class HttpCaller {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;
  struct Request {
    Headers headers;
    std::string content_type = "application/json";
    std::string body;
    /// Instead of `body`: writes `length` bytes from `offset` into the sink; returns false to abort.
    std::function<bool(std::size_t offset, std::size_t length, const std::function<bool(const char*, std::size_t)>&)>
        stream;
    std::size_t stream_length = 0;
  };
  struct Answer {
    int status = 0;
    std::string content_type;
    std::string body;
  };

  /// `url`: `http://host:port/path` or https, the value of `option`. Throws Error(kInvalidArgument) that names the
  /// option. `clock` ends calls that take too long, and must outlive this. `look_up`: resolves the host name; empty:
  /// the system's resolver.
  HttpCaller(const std::string& url, const std::string& option, std::chrono::milliseconds timeout,
             const Clock& clock = Clock::system(), HostResolver::LookUp look_up = {});
  /// For https: trusts only the certificates of this PEM file; empty: those of the system. REQUIRES: no call yet.
  void set_ca_file(const std::string& file) { ca_file_ = file; }
  ~HttpCaller();
  HttpCaller(const HttpCaller&) = delete;
  HttpCaller& operator=(const HttpCaller&) = delete;

  /// POSTs and returns the response, whatever its status. Throws Error: kUnavailable when there is no response,
  /// kTimeout when the response was not complete in time, kTooLarge when it exceeds 1 MiB. The message names the URL's
  /// host, and no secret.
  Answer post(const Request& request);
  /// Likewise for GET.
  Answer get(const Headers& headers = {});
  std::chrono::milliseconds timeout() const { return timeout_; }
  /// Ends calls in progress with kUnavailable; later calls fail at once.
  void stop() EXCLUDES(mutex_);

 private:
  using ClientRef = std::shared_ptr<httplib::Client>;
  Answer call(httplib::Request& request);

  /// Null when no connection is idle.
  ClientRef take_idle() EXCLUDES(mutex_);
  ClientRef new_client() const;
  void return_idle(ClientRef client) EXCLUDES(mutex_);
  void begin_call(SteadyTime deadline, const ClientRef& client) EXCLUDES(mutex_);
  /// Returns false when the watcher has ended the call because its time was over.
  bool end_call(SteadyTime deadline, const ClientRef& client) EXCLUDES(mutex_);
  ClientRef next_overdue() EXCLUDES(mutex_);
  void watch() EXCLUDES(mutex_);

  const std::chrono::milliseconds timeout_;
  const Clock& clock_;
  std::string base_;  // scheme, host and port
  std::string host_;
  std::string path_;
  std::string ca_file_;
  std::unique_ptr<HostResolver> resolver_;
  std::thread watcher_;

  Mutex mutex_;
  CondVar changed_;
  std::vector<ClientRef> idle_ GUARDED_BY(mutex_);
  // Calls in progress by their deadline: cpp-httplib limits each read, not the whole response, so that a response that
  // drips could hold a thread for ever. A client holds a lock of its own while it connects, so that its stop() may
  // wait: stop() is never called with mutex_ held.
  std::multimap<SteadyTime, ClientRef> running_ GUARDED_BY(mutex_);
  bool stopped_ GUARDED_BY(mutex_) = false;
};

}  // namespace sse::net
