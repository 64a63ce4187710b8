#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace sse::api {

/// A client of event streams on a public listener, one stream at a time. read() belongs to one thread, and post() to
/// one, possibly another.
class EventSource {
 public:
  /// `origin`: `http://HOST:PORT` or `https://…`. Throws Error(kInvalidArgument).
  explicit EventSource(const std::string& origin, std::chrono::milliseconds timeout);
  ~EventSource();
  EventSource(const EventSource&) = delete;
  EventSource& operator=(const EventSource&) = delete;

  struct End {
    int status = 0;      ///< of the response; 0: there was none
    std::string reason;  ///< a phrase for display
  };
  /// Opens a stream and passes each received piece to `take`, which returns false to close the stream. Blocks until the
  /// stream ends. A stream without any bytes for 90 seconds, not even a comment, counts as dead.
  End read(const std::string& path, const std::string& last_event_id,
           const std::function<bool(std::string_view bytes)>& take);
  /// Posts JSON to the same server; false when the response is not 2xx.
  bool post(const std::string& path, const std::string& body);

  /// Ends a running read(), and every later one. Any thread.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sse::api
