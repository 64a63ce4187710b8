#pragma once

#include <gtest/gtest.h>
#include <httplib.h>
#include <sys/socket.h>

#include <string>
#include <thread>

#include "base/mutex.h"

namespace sse::testing {

/// An HTTP server in this process, as a stand-in for another program.
class HttpServer {
 public:
  /// On a free port of 127.0.0.1.
  HttpServer() {
    port_ = http_.bind_to_any_port("127.0.0.1");
    EXPECT_GT(port_, 0);
  }
  explicit HttpServer(const std::string& socket_path) : socket_(socket_path) {
    http_.set_address_family(AF_UNIX);
    EXPECT_TRUE(http_.bind_to_port(socket_path, 80));
  }
  ~HttpServer() { stop(); }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// For its routes, all of which are set before start().
  httplib::Server& http() { return http_; }
  /// Returns url(), once it serves.
  std::string start() {
    // cpp-httplib is not instrumented: ThreadSanitizer sees by this lock alone that stop() comes after all handlers.
    http_.set_post_routing_handler([this](const auto&, auto&) { const MutexLock lock(handled_); });
    thread_ = std::thread([this] { http_.listen_after_bind(); });
    while (!http_.is_running()) std::this_thread::yield();
    return url();
  }
  /// Afterwards the caller may use what the handlers have changed.
  void stop() {
    if (!thread_.joinable()) return;
    http_.stop();
    thread_.join();
    const MutexLock lock(handled_);
  }

  int port() const { return port_; }
  /// `http://127.0.0.1:PORT` or `unix:PATH`.
  std::string url() const { return socket_.empty() ? "http://127.0.0.1:" + std::to_string(port_) : "unix:" + socket_; }

 private:
  httplib::Server http_;
  const std::string socket_;
  int port_ = 0;
  Mutex handled_;
  std::thread thread_;
};

}  // namespace sse::testing
