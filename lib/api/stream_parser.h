#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace sse::api {

/// An event as a client sees it.
struct StreamEvent {
  std::string name;  ///< `message` when the stream named none
  std::string data;
  std::string id;  ///< the last id of the stream so far; empty: none yet
};

/// "Interpreting an event stream" (WHATWG HTML 9.2.6), fed in pieces of any size.
class StreamParser {
 public:
  using Take = std::function<void(StreamEvent&&)>;

  /// Calls `take` for every event that `bytes` completes.
  void feed(std::string_view bytes, const Take& take);
  /// What the client names when it comes back.
  const std::string& last_event_id() const { return last_id_; }
  /// A new connection begins: what was unfinished is dropped, the last id stays.
  void restart();
  /// The reconnect time the stream asked for.
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
