#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "ssectl/load/histogram.h"
#include "ssectl/load/peer.h"

namespace sse::load {

/// Counters that may be read while the streams run, also by another process if they are in shared memory.
struct Counters {
  std::atomic<std::size_t> opened{0};
  std::atomic<std::size_t> failed{0};
  std::atomic<std::size_t> open_now{0};
  std::atomic<std::uint64_t> events{0};  ///< measured events
};

/// Options of StreamClients.
struct ClientOptions {
  Peer peer;
  std::size_t streams = 0;  ///< maximum number of streams
  unsigned threads = 1;
  unsigned sources = 1;                      ///< addresses 127.0.0.2, .3, … to connect from when above 1
  std::size_t connecting = 256;              ///< concurrent connection attempts
  std::chrono::milliseconds timeout{60000};  ///< for one call of open()
  /// Returns the complete HTTP request of stream n. Called on the clients' threads.
  std::function<std::string(std::size_t)> request{};
  Counters* counters = nullptr;  ///< external counters to use, if any
};

/// The outcome of StreamClients::open().
struct OpenResult {
  std::size_t opened = 0;
  std::size_t failed = 0;  ///< refused, disconnected or timed out
  double seconds = 0;
  std::string first_error;
};

/// What all streams received since the previous take().
struct Received {
  std::uint64_t events = 0;  ///< measured events, including duplicates
  std::uint64_t bytes = 0;
  std::uint64_t duplicates = 0;  ///< seen before on the same stream
  std::uint64_t late = 0;        ///< received after a later event of the same sender
  std::uint64_t closed = 0;      ///< streams that ended
  Histogram latency;             ///< from the time an event was due to reading it
  SteadyTime last{};             ///< when the last event was read
};

/// Opens and reads very many event streams with a few threads, for load tests. One thread drives it.
class StreamClients {
 public:
  explicit StreamClients(ClientOptions options);
  ~StreamClients();
  StreamClients(const StreamClients&) = delete;
  StreamClients& operator=(const StreamClients&) = delete;

  /// Opens streams until there are `count` in total, including failed ones. Returns when each of them has received its
  /// response head or failed, or at the timeout. Calls `progress`, which may be empty, with the number of open streams;
  /// `progress` returns false to give up.
  OpenResult open(std::size_t count, const std::function<bool(std::size_t opened)>& progress);
  /// Numbers of the streams that were opened so far.
  std::vector<std::size_t> opened() const;
  const Counters& counters() const { return *counters_; }
  /// Waits until `count` measured events have arrived; false if no event arrived for `timeout`, all streams have ended,
  /// or `keep_going`, which may be empty, returned false.
  bool wait_events(std::uint64_t count, std::chrono::milliseconds timeout,
                   const std::function<bool()>& keep_going = {});
  /// Returns and resets what was received since the previous call.
  Received take();

 private:
  class Worker;
  ClientOptions options_;
  Counters own_;
  Counters* counters_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace sse::load
