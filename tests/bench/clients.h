#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/fd.h"
#include "servers.h"
#include "ssectl/load/stream_clients.h"

namespace sse::bench {

/// Runs the client side of one server's streams in a child process. A process may have 20,000 descriptors, and two
/// servers with 10,000 streams each are measured in turns. REQUIRES: the process that constructs it has no other
/// threads.
class Clients {
 public:
  /// Does not open streams yet. Throws Error. `first` is the number of the first stream.
  Clients(const Server& server, std::size_t streams, std::size_t first = 0);
  ~Clients();
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  struct Opened {
    std::size_t opened = 0;
    std::size_t failed = 0;
    double seconds = 0;
    char first_error[200] = {};
  };
  /// Opens streams until there are `count`. Throws Error if one cannot be opened.
  Opened open(std::size_t count);
  /// The two halves of open(): start without waiting, then wait.
  void start_opening(std::size_t count);
  Opened finish_opening();

  std::uint64_t events() const;
  std::size_t open_now() const;
  /// Waits until events() is `count`; throws Error if no event arrives for 20 seconds.
  void wait_events(std::uint64_t count) const;

  struct Taken {
    std::uint64_t events = 0;
    std::uint64_t late = 0;
    std::uint64_t duplicates = 0;
    std::uint64_t closed = 0;
    double p50_ms = 0;
    double p99_ms = 0;
    double max_ms = 0;
  };
  /// Returns and resets what was received since the previous call.
  Taken take();

 private:
  struct Shared;
  struct Command;

  [[noreturn]] void serve(int socket, load::ClientOptions options);
  void command(const Command& command) const;
  template <class Answer>
  Answer answer() const;

  const std::string name_;
  Shared* shared_;
  UniqueFd socket_;
  pid_t pid_ = -1;
};

}  // namespace sse::bench
