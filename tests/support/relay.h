#pragma once

#include <list>
#include <string>
#include <thread>

#include "base/fd.h"
#include "base/mutex.h"

namespace sse::testing {

/// A TCP relay on a free port of 127.0.0.1, placed between two programs to simulate network failures. Thread safe.
class Relay {
 public:
  Relay();
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  /// HOST:PORT to connect to.
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  /// Sets the target of new connections, HOST:PORT.
  void set_target(const std::string& address) EXCLUDES(mutex_);

  /// Closes every connection and refuses new ones, until mend().
  void cut() EXCLUDES(mutex_);
  /// Discards all data, as a broken route does, until mend().
  void swallow() EXCLUDES(mutex_);
  void restore() EXCLUDES(mutex_);
  /// Answers all data with these bytes instead of forwarding it, until mend().
  void lie(std::string bytes) EXCLUDES(mutex_);

 private:
  enum class Mode { kOpen, kCut, kSwallow, kLie };
  struct Pair {
    UniqueFd near;
    UniqueFd far;
    std::thread there;
    std::thread back;
  };

  void accept_all();
  void relay_bytes(int from, int to, bool back) EXCLUDES(mutex_);
  void break_all() REQUIRES(mutex_);

  int port_ = 0;
  UniqueFd listener_;
  Mutex mutex_;
  CondVar changed_;
  std::string target_ GUARDED_BY(mutex_);
  Mode mode_ GUARDED_BY(mutex_) = Mode::kOpen;
  std::string lie_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::list<Pair> pairs_ GUARDED_BY(mutex_);
  std::thread acceptor_;
};

}  // namespace sse::testing
