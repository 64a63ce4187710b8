#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace sse::api {

/// Reads event streams from a public listener, one at a time. read() belongs to one thread, post() to one, too, which
/// may be another.
class EventSource {
 public:
  /// `origin`: `http://HOST:PORT` or `https://…`. Throws Error(kInvalidArgument).
  explicit EventSource(const std::string& origin, std::chrono::milliseconds timeout);
  ~EventSource();
  EventSource(const EventSource&) = delete;
  EventSource& operator=(const EventSource&) = delete;

  struct End {
    int status = 0;      ///< of the answer; 0: there was none
    std::string reason;  ///< a phrase for people
  };
  /// Opens a stream and hands every piece of it to `take`, which returns false to end it. Blocks until the stream ends.
  /// A stream on which nothing comes for 90 seconds, not even a comment, counts as dead.
  End read(const std::string& path, const std::string& last_event_id,
           const std::function<bool(std::string_view bytes)>& take);
  /// Posts JSON to the same server; false when it did not answer with 2xx.
  bool post(const std::string& path, const std::string& body);

  /// Ends a read() that is under way, and every later one. Any thread.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sse::api
