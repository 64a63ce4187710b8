#pragma once

#include <pthread.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"

namespace sse::simulation {

/// Random numbers of one run.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t number() { return engine_(); }
  /// Below `n`, which is not 0.
  std::uint64_t below(std::uint64_t n) { return engine_() % n; }
  bool chance(std::uint64_t of, std::uint64_t in) { return below(in) < of; }

 private:
  std::mt19937_64 engine_;
};

/// The server's end of a TCP connection lies in the simulated kernel; this is the rest: the way through the network and
/// the client's end. Nothing moves by itself: what is sent arrives by deliver().
class Wire {
 public:
  /// `send_buffer`: bytes the server's kernel takes; `window`: bytes the client's kernel takes without its reading.
  Wire(std::size_t send_buffer, std::size_t window) : send_buffer_(send_buffer), window_(window) {}

  /// Up to `limit` bytes arrive, as far as the client's kernel has room for them; returns how many. They are
  /// acknowledged from now on.
  std::size_t deliver(std::size_t limit);
  /// What has arrived, for a client that reads.
  std::string read();
  /// The whole of what arrived so far, read or not: what the peer's TCP has acknowledged.
  const std::string& acknowledged() const { return acknowledged_; }
  /// Nothing more will come: the server has ended the connection and all has arrived.
  bool ended() const { return server_ended_ && sending_.empty() && !reset_; }
  bool was_reset() const { return reset_; }
  /// The server holds no descriptor of it any more.
  bool released() const { return released_; }

  /// The client ends its side.
  void finish();
  /// The client resets it, or its machine is gone and the server's kernel has noticed.
  void reset();

 private:
  friend class World;

  const std::size_t send_buffer_;
  const std::size_t window_;
  int fd_ = -1;
  std::string sending_;  // with the server's kernel
  std::string unread_;
  std::string acknowledged_;
  bool client_ended_ = false;
  bool server_ended_ = false;
  bool reset_ = false;
  bool released_ = false;
};

/// What a process sees of the machine it runs on, for a run that can be repeated to the byte: its threads, of which one
/// at a time runs until it comes to a point where another may, which the seed decides; the time, which goes on when
/// told to; epoll and sockets; the disk's errors.
///
/// It takes the place of the C library's functions (world.cc defines pthread_mutex_lock(), epoll_wait(), send(), …), so
/// that the library under test is the one that ships: no line of it knows of this. Made once in a process, before that
/// has any other thread; the process ends with _exit().
///
/// The thread that makes it is the driver: it alone lets others run. It may call what blocks: others run, and time goes
/// on, until that can return.
class World {
 public:
  struct Options {
    std::uint64_t seed = 1;
    /// How often a thread gives way when it takes a mutex: once in so many; 0: never.
    std::uint64_t preempt = 0;
  };
  explicit World(const Options& options);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  static World* current();
  Random& random() { return random_; }

  // Time. Of all nodes; each adds what its civil clock is off by.
  std::int64_t now() const { return now_; }  ///< nanoseconds
  /// Lets time go on; who waits for a moment that has come may run.
  void advance(std::chrono::nanoseconds time);
  /// The nearest moment a thread waits for.
  std::optional<std::int64_t> next_deadline() const;

  // Threads.
  /// Lets threads go on, `limit` steps at the most; returns how many it were.
  std::uint64_t run(std::uint64_t limit);
  /// Until none can go on at this time. False when they do not come to rest.
  bool settle(std::uint64_t limit = 2'000'000);
  /// Threads started from now on by the driver belong to this group, and so do those that they start.
  void set_group(int group);
  int group() const;
  /// The threads of the group never run again: their process was killed.
  void freeze(int group);
  /// Threads that have not ended, frozen ones left out.
  std::size_t threads() const;
  /// What each thread waits for, for a report.
  std::string describe_threads() const;
  /// A number that differs where the runs differ.
  std::uint64_t digest() const { return digest_; }
  void note(std::uint64_t value) { digest_ = (digest_ ^ value) * 0x100000001B3ULL; }

  /// While one is there the thread keeps running.
  class NoPreemption {
   public:
    NoPreemption();
    ~NoPreemption();
    NoPreemption(const NoPreemption&) = delete;
    NoPreemption& operator=(const NoPreemption&) = delete;
  };

  // Sockets.
  /// The server's end of a new connection.
  UniqueFd connect(const std::shared_ptr<Wire>& wire);
  /// The kernel forgets the descriptors of a process that was killed: clients see a reset.
  void kill_sockets(const std::vector<std::shared_ptr<Wire>>& wires);

  // Disk.
  /// Of the calls that threads of the group make: `after` more succeed, then `count` fail. `reads`: pread, too.
  void fail_disk(int group, std::uint64_t after, std::uint64_t count, int error, bool reads);
  void mend_disk(int group);

  struct Thread;
  struct Kernel;

  // What the functions of the C library come to. Not for tests.
  Thread* me() const;
  void block(const void* key, std::int64_t deadline);
  void wake(const void* key, std::size_t limit);
  void maybe_preempt();
  void yield();
  bool timed_out() const;
  int create(pthread_t* real, const pthread_attr_t* attributes, void* (*start)(void*), void* argument);
  int join(pthread_t thread, void** result);
  Kernel& kernel() { return *kernel_; }
  bool disk_fails(bool read);
  void touched(int fd);
  static std::ptrdiff_t send(Wire& wire, const void* pieces, std::size_t count);
  static std::ptrdiff_t receive(const Wire& wire);
  static void shut(Wire& wire, bool release);
  static int unacknowledged(const Wire& wire);

 private:
  friend class Wire;

  void switch_to(Thread* next);
  Thread* choose();
  void make_runnable(Thread* thread);
  void remove_runnable(Thread* thread);
  static void* begin(void* thread);

  const Options options_;
  Random random_;
  std::int64_t now_ = 1'000'000'000'000'000;
  std::uint64_t budget_ = 0;
  std::uint64_t digest_ = 0xCBF29CE484222325ULL;
  Thread* driver_ = nullptr;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::vector<Thread*> runnable_;
  std::set<int> frozen_;
  std::unique_ptr<Kernel> kernel_;
  struct Disk {
    std::uint64_t after = 0;
    std::uint64_t count = 0;
    int error = 0;
    bool reads = false;
  };
  std::map<int, Disk> disks_;
};

/// One node's clock: the world's, with a civil time of its own.
class NodeClock final : public Clock {
 public:
  explicit NodeClock(const World& world) : world_(world) {}

  WallTime wall_now() const override;
  SteadyTime steady_now() const override { return SteadyTime(std::chrono::nanoseconds(world_.now())); }
  std::chrono::milliseconds wait_time(SteadyTime deadline) const override;
  [[nodiscard]] std::shared_ptr<void> on_move(std::function<void()>) const override { return nullptr; }

  /// The operator, or NTP, sets it.
  void jump(std::chrono::milliseconds by) { off_ += by; }
  std::chrono::milliseconds off() const { return off_; }

 private:
  bool wait_until(CondVar& changed, Mutex& mutex, SteadyTime deadline) const override;

  const World& world_;
  std::chrono::milliseconds off_{0};
};

}  // namespace sse::simulation
