#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "load/histogram.h"

namespace sse::load {

/// What a measured event carries at the start of its data, so that whoever receives it can tell when it was meant to be
/// sent and whether one is missing: `t=<ns of the monotonic clock> s=<sequence number> `, then filler.
std::string payload(SteadyTime intended, std::uint64_t sequence, std::size_t size);

struct ClientOptions {
  std::string host = "127.0.0.1";  ///< numeric IPv4
  int port = 0;
  std::size_t streams = 0;
  unsigned threads = 1;
  unsigned sources =
      1;  ///< source addresses 127.0.0.2, .3, … when above 1: one address alone gets slow past 14,000 streams
  std::size_t connecting = 256;                     ///< connections under way at once
  std::chrono::milliseconds timeout{60000};         ///< for opening all
  std::function<std::string(std::size_t)> request;  ///< the whole HTTP request of stream n
};

struct OpenResult {
  std::size_t opened = 0;
  std::size_t failed = 0;
  double seconds = 0;
  std::string first_error;
};

/// What all streams have received since reset().
struct Received {
  std::uint64_t events = 0;  ///< measured ones
  std::uint64_t bytes = 0;
  std::uint64_t duplicates = 0;    ///< sequence number seen before on the stream, directly
  std::uint64_t out_of_order = 0;  ///< lower than the one before
  std::uint64_t gaps = 0;          ///< numbers left out
  std::uint64_t closed = 0;        ///< streams the server ended
  Histogram latency;               ///< from intended sending to reading
  SteadyTime last{};               ///< when the last of them was read
};

/// Very many event streams held by a few threads. Its own thread drives it; received() counts may be read while it
/// runs.
class StreamClients {
 public:
  explicit StreamClients(ClientOptions options);
  ~StreamClients();
  StreamClients(const StreamClients&) = delete;
  StreamClients& operator=(const StreamClients&) = delete;

  /// Opens all; returns when every stream has its response head, or failed. `progress` may be empty.
  OpenResult open(const std::function<void(std::size_t opened)>& progress);
  /// Measured events so far, over all streams.
  std::uint64_t events() const;
  /// Streams open now.
  std::size_t open_streams() const;
  /// Waits until events() is at least `count`; false when nothing new came for `patience`.
  bool wait_events(std::uint64_t count, std::chrono::milliseconds patience) const;
  /// Stops the threads, closes the streams and returns what was counted. Once.
  Received finish();

 private:
  class Worker;
  ClientOptions options_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace sse::load
