#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/stream_parser.h"
#include "base/clock.h"

namespace sse::api {

/// A request for an event stream, or for anything else at a public address.
struct ProbeRequest {
  std::string origin;  ///< `http://HOST:PORT` or `https://…`
  std::string target;  ///< path and query
  std::string method = "GET";
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string local_address{};  ///< the address to connect from; empty: the system chooses
  bool verify_certificate = true;
  std::chrono::milliseconds connect_timeout{10'000};
  std::uint64_t max_bytes = 16ULL << 20;  ///< of the decoded body; then the stream is closed
  bool keep_body = false;                 ///< for ProbeState::body
};

/// The status line and headers of a response.
struct ProbeHead {
  int status = 0;
  std::string version;  ///< `HTTP/1.1`
  std::vector<std::pair<std::string, std::string>> headers;
  SteadyTime at;

  /// The first header of that name, without regard to case; empty when absent.
  std::string header(std::string_view name) const;
};

struct ProbeEvent {
  StreamEvent event;
  SteadyTime at;
};

/// Everything that has happened on a probed stream so far.
struct ProbeState {
  SteadyTime started;
  std::optional<ProbeHead> head;
  std::optional<SteadyTime> first_byte;  ///< of the body
  std::optional<SteadyTime> last_byte;
  std::uint64_t bytes = 0;  ///< of the decoded body
  std::string body;         ///< decoded; empty unless ProbeRequest::keep_body
  std::vector<ProbeEvent> events;
  std::optional<std::chrono::milliseconds> retry;
  bool flooded = false;             ///< closed at ProbeRequest::max_bytes
  std::optional<SteadyTime> ended;  ///< empty: the response is not complete
  std::string reason;               ///< why it ended, a phrase for display
};

/// One request whose response is observed while it arrives: what comes when, over cpp-httplib on a thread of its own.
/// Compressed bodies are decoded. One thread uses it.
class StreamProbe {
 public:
  /// Connects at once, in the background. Throws Error(kInvalidArgument) for an origin that is no address. `clock`
  /// times what arrives, and must outlive this.
  explicit StreamProbe(ProbeRequest request, const Clock& clock = Clock::system());
  /// Closes the connection.
  ~StreamProbe();
  StreamProbe(const StreamProbe&) = delete;
  StreamProbe& operator=(const StreamProbe&) = delete;

  /// Blocks until `reached` holds, the response has ended or the time is over; returns whether it holds.
  bool wait(std::chrono::milliseconds timeout, const std::function<bool(const ProbeState&)>& reached);
  bool wait_for_head(std::chrono::milliseconds timeout);
  /// Waits for an event with this data.
  bool wait_for_data(std::string_view data, std::chrono::milliseconds timeout);
  /// A copy, with everything that has come.
  ProbeState state() const;
  /// Passes the state to `look`, without a copy.
  void inspect(const std::function<void(const ProbeState&)>& look) const;
  /// Closes the connection; the state remains.
  void close();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sse::api
