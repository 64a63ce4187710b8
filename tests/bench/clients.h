#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/fd.h"
#include "load/stream_clients.h"
#include "servers.h"

namespace sse::bench {

/// The streams of one server, in a process of their own: a process may have 20,000 descriptors, and two servers with
/// 10,000 streams each are measured in turns. REQUIRES, for those who make one: no other threads.
class Clients {
 public:
  /// Opens nothing yet. Throws Error. The first stream is number `first`.
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
  /// Opens streams until there are `count`. Throws Error when one cannot be opened.
  Opened open(std::size_t count);
  /// The same without waiting for it, then the wait.
  void start_opening(std::size_t count);
  Opened finish_opening();

  std::uint64_t events() const;
  std::size_t open_now() const;
  /// Waits until events() is `count`; throws Error when nothing new comes for 20 seconds.
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
  /// What came since the last time.
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
