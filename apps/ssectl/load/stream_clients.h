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
#include "load/peer.h"

namespace sse::load {

/// Counts that may be read while the streams run; in shared memory another process may, too.
struct Counters {
  std::atomic<std::size_t> opened{0};
  std::atomic<std::size_t> failed{0};
  std::atomic<std::size_t> open_now{0};
  std::atomic<std::uint64_t> events{0};  ///< measured ones
};

struct ClientOptions {
  Peer peer;
  std::size_t streams = 0;  ///< at most
  unsigned threads = 1;
  unsigned sources = 1;                      ///< addresses 127.0.0.2, .3, … to connect from when above 1
  std::size_t connecting = 256;              ///< connections under way at once
  std::chrono::milliseconds timeout{60000};  ///< for opening those of one open()
  /// The whole HTTP request of stream n. Called on the clients' threads.
  std::function<std::string(std::size_t)> request{};
  Counters* counters = nullptr;  ///< where to count, if not inside
};

struct OpenResult {
  std::size_t opened = 0;
  std::size_t failed = 0;  ///< refused, broken or not answered in time
  double seconds = 0;
  std::string first_error;
};

/// What all streams have received since the last take().
struct Received {
  std::uint64_t events = 0;  ///< measured ones, those that came twice twice
  std::uint64_t bytes = 0;
  std::uint64_t duplicates = 0;  ///< came before on the same stream
  std::uint64_t late = 0;        ///< behind a later one of the same sender
  std::uint64_t closed = 0;      ///< streams that ended
  Histogram latency;             ///< from the intended sending to reading
  SteadyTime last{};             ///< when the last of them was read
};

/// Very many event streams held by a few threads. One thread drives it.
class StreamClients {
 public:
  explicit StreamClients(ClientOptions options);
  ~StreamClients();
  StreamClients(const StreamClients&) = delete;
  StreamClients& operator=(const StreamClients&) = delete;

  /// Opens streams until there are `count` in all, those that failed included; returns when every one of them has its
  /// response head, failed, or the time is over. Tells `progress`, which may be empty, how many are open; it returns
  /// false to give up.
  OpenResult open(std::size_t count, const std::function<bool(std::size_t opened)>& progress);
  /// Numbers of the streams that have opened so far.
  std::vector<std::size_t> opened() const;
  const Counters& counters() const { return *counters_; }
  /// Waits until `count` measured events have come; false when nothing new came for `patience`, no stream is left, or
  /// `go_on`, which may be empty, returned false.
  bool wait_events(std::uint64_t count, std::chrono::milliseconds patience, const std::function<bool()>& go_on = {});
  /// What came since the last time.
  Received take();

 private:
  class Worker;
  ClientOptions options_;
  Counters own_;
  Counters* counters_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace sse::load
