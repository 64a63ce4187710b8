#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace sse::api {

/// An event as received by a client.
struct StreamEvent {
  std::string name;  ///< `message` when the stream gave no name
  std::string data;
  std::string id;  ///< the last event id of the stream so far; empty: none yet
};

/// A parser for event streams (WHATWG HTML 9.2.6), fed in pieces of any size.
class StreamParser {
 public:
  using Take = std::function<void(StreamEvent&&)>;

  /// Calls `take` for every event that `bytes` completes.
  void feed(std::string_view bytes, const Take& take);
  /// The id that the client sends when it reconnects.
  const std::string& last_event_id() const { return last_id_; }
  /// Starts a new connection: an incomplete event is dropped, the last id is retained.
  void restart();
  /// The reconnect time that the stream has set.
  std::optional<std::chrono::milliseconds> retry() const { return retry_; }

 private:
  void line(std::string_view text, const Take& take);
  void field(std::string_view name, std::string_view value);

  std::string rest_;  // an unfinished line
  bool after_cr_ = false;
  bool begun_ = false;
  std::string name_;
  std::string data_;
  std::string id_;
  std::string last_id_;
  std::optional<std::chrono::milliseconds> retry_;
};

}  // namespace sse::api
