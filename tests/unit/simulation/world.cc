// What the C library would do, for one process whose threads run one at a time. The definitions at the end take the
// place of the C library's for the whole program, the standard library and SQLite included: symbols of the executable
// come first.
#undef _FORTIFY_SOURCE
#include "unit/simulation/world.h"

#include <dlfcn.h>
#include <linux/futex.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <sstream>
#include <utility>

#include "base/mutex.h"

namespace sse::simulation {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kNanos = 1'000'000'000;
// 2026-01-01T00:00:00Z, when `now` was what it begins with.
constexpr std::int64_t kEpochMillis = 1'767'225'600'000;
constexpr std::int64_t kStart = 1'000'000'000'000'000;
constexpr int kFirstFd = 1'000'000;

World* the_world = nullptr;
thread_local World::Thread* this_thread = nullptr;
thread_local int steady = 0;  // NoPreemption

// The C library's own.
template <class F>
F real(const char* name) {
  void* found = dlsym(RTLD_NEXT, name);
  if (found == nullptr) {
    std::fprintf(stderr, "no function %s\n", name);
    std::abort();
  }
  return reinterpret_cast<F>(found);
}
#define REAL(name)                                                                  \
  ([] {                                                                             \
    static const auto function = ::sse::simulation::real<decltype(&::name)>(#name); \
    return function;                                                                \
  }())

// Of the kernel, not of the function that is replaced below.
long futex(std::uint32_t* word, int operation, std::uint32_t value) {
  long result = 0;
#if defined(__x86_64__)
  register long timeout __asm__("r10") = 0;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(static_cast<long>(SYS_futex)), "D"(word), "S"(static_cast<long>(operation)),
                     "d"(static_cast<long>(value)), "r"(timeout)
                   : "rcx", "r11", "memory");
#else
  result = REAL(syscall)(SYS_futex, word, operation, value, nullptr, nullptr, 0);
#endif
  return result;
}

}  // namespace

struct World::Thread {
  std::size_t number = 0;
  int group = 0;
  bool done = false;
  bool blocked = false;
  bool frozen = false;
  bool timed_out = false;
  const void* key = nullptr;
  std::int64_t deadline = kNever;
  std::size_t place = SIZE_MAX;  // in runnable_
  std::uint32_t go = 0;          // its turn: the only thing that two threads touch at once
  void* (*start)(void*) = nullptr;
  void* argument = nullptr;
  void* result = nullptr;
  pthread_t handle{};
  char name[16] = "driver";

  void await() {
    while (__atomic_load_n(&go, __ATOMIC_ACQUIRE) == 0) futex(&go, FUTEX_WAIT_PRIVATE, 0);
    __atomic_store_n(&go, 0, __ATOMIC_RELAXED);
  }
  void pass() {
    __atomic_store_n(&go, 1, __ATOMIC_RELEASE);
    futex(&go, FUTEX_WAKE_PRIVATE, 1);
  }
};

// Descriptors from kFirstFd on.
struct World::Kernel {
  struct Watch {
    std::uint32_t events = 0;
    epoll_data_t data{};
    std::uint64_t seen = 0;  // writes reported, of an edge-triggered one
  };
  struct Object {
    enum class Kind : unsigned char { kEpoll, kEvent, kSocket } kind = Kind::kEpoll;
    std::map<int, Watch> watches;  // of an epoll
    std::uint64_t writes = 0;      // of an eventfd
    bool full = false;             // of a socket: it refused bytes
    std::shared_ptr<Wire> wire;
  };

  Object* find(int fd) {
    const auto found = objects.find(fd);
    return found == objects.end() ? nullptr : &found->second;
  }
  int make(Object::Kind kind) {
    objects[next].kind = kind;
    return next++;
  }
  std::uint32_t ready(int fd, const Watch& watch) {
    Object* object = find(fd);
    if (object == nullptr) return 0;
    if (object->kind == Object::Kind::kEvent) return object->writes != watch.seen ? watch.events & EPOLLIN : 0U;
    if (object->kind != Object::Kind::kSocket) return 0;
    const Wire& wire = *object->wire;
    std::uint32_t events = 0;
    if (wire.reset_) return EPOLLERR | EPOLLHUP | (watch.events & (EPOLLIN | EPOLLRDHUP | EPOLLOUT));
    if (wire.client_ended_) events |= EPOLLIN | EPOLLRDHUP;
    if (wire.client_ended_ && wire.server_ended_) events |= EPOLLHUP;
    // As Linux: when a third of the buffer is free.
    if (wire.sending_.size() * 3 <= wire.send_buffer_ * 2) events |= EPOLLOUT;
    return events & (watch.events | EPOLLHUP);
  }

  int next = kFirstFd;
  std::map<int, Object> objects;
  int futexes = 0;  // threads that wait for one
};

World* World::current() {
  return the_world;
}

World::World(const Options& options) : options_(options), random_(options.seed), kernel_(std::make_unique<Kernel>()) {
  threads_.push_back(std::make_unique<Thread>());
  driver_ = threads_.back().get();
  this_thread = driver_;
  the_world = this;
  // One at a time runs: on one processor they take turns quickest.
  cpu_set_t one;
  CPU_ZERO(&one);
  const int processor = sched_getcpu();
  if (processor >= 0) CPU_SET(static_cast<unsigned>(processor), &one);
  if (processor >= 0) sched_setaffinity(0, sizeof one, &one);
}

World::~World() = default;

World::Thread* World::me() const {
  return this_thread;
}

void World::make_runnable(Thread* thread) {
  if (thread == driver_ || thread->frozen || thread->place != SIZE_MAX) return;
  thread->place = runnable_.size();
  runnable_.push_back(thread);
}

void World::remove_runnable(Thread* thread) {
  if (thread->place == SIZE_MAX) return;
  runnable_.back()->place = thread->place;
  runnable_[thread->place] = runnable_.back();
  runnable_.pop_back();
  thread->place = SIZE_MAX;
}

World::Thread* World::choose() {
  // One that waits in a call of its own goes on as soon as it can.
  if (budget_ == 0 || runnable_.empty()) return driver_;
  if (driver_->key != nullptr && !driver_->blocked) return driver_;
  --budget_;
  Thread* next = runnable_[random_.below(runnable_.size())];
  note(next->number);
  return next;
}

void World::switch_to(Thread* next) {
  Thread* const mine = this_thread;
  if (next == mine) return;
  next->pass();
  mine->await();
}

std::uint64_t World::run(std::uint64_t limit) {
  budget_ = limit;
  Thread* next = choose();
  if (next != driver_) switch_to(next);
  return limit - budget_;
}

bool World::settle(std::uint64_t limit) {
  return run(limit) < limit;
}

void World::block(const void* key, std::int64_t deadline) {
  Thread* const mine = this_thread;
  mine->key = key;
  mine->deadline = deadline;
  mine->timed_out = false;
  mine->blocked = true;
  if (mine != driver_) {
    remove_runnable(mine);
    switch_to(choose());
  } else {
    while (mine->blocked) {
      if (run(1000) != 0) continue;
      if (!mine->blocked) break;
      const auto next = next_deadline();
      if (!next) {
        std::fprintf(stderr, "deadlock: no thread can go on, and none waits for the time\n%s",
                     describe_threads().c_str());
        std::abort();
      }
      advance(std::chrono::nanoseconds(*next - now_));
    }
  }
  mine->key = nullptr;
  mine->deadline = kNever;
}

void World::wake(const void* key, std::size_t limit) {
  std::vector<Thread*> waiting;
  for (const auto& thread : threads_) {
    if (thread->blocked && !thread->frozen && thread->key == key) waiting.push_back(thread.get());
  }
  while (!waiting.empty() && limit-- > 0) {
    const std::size_t at = waiting.size() == 1 || limit == SIZE_MAX ? 0 : random_.below(waiting.size());
    waiting[at]->blocked = false;
    make_runnable(waiting[at]);
    waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(at));
  }
}

void World::yield() {
  Thread* const mine = this_thread;
  if (mine == driver_) {
    run(1);
  } else if (!mine->frozen) {
    switch_to(choose());
  }
}

void World::maybe_preempt() {
  if (steady != 0 || options_.preempt == 0 || this_thread == driver_) return;
  if (random_.below(options_.preempt) == 0) yield();
}

bool World::timed_out() const {
  return this_thread->timed_out;
}

std::optional<std::int64_t> World::next_deadline() const {
  std::int64_t next = kNever;
  for (const auto& thread : threads_) {
    if (thread->blocked && !thread->frozen) next = std::min(next, thread->deadline);
  }
  return next == kNever ? std::nullopt : std::optional(next);
}

void World::advance(std::chrono::nanoseconds time) {
  now_ += std::max<std::int64_t>(time.count(), 0);
  for (const auto& thread : threads_) {
    if (!thread->blocked || thread->frozen || thread->deadline > now_) continue;
    thread->timed_out = true;
    thread->blocked = false;
    make_runnable(thread.get());
  }
}

void World::set_group(int group) {
  driver_->group = group;
}

int World::group() const {
  return this_thread->group;
}

void World::freeze(int group) {
  frozen_.insert(group);
  for (const auto& thread : threads_) {
    if (thread.get() == driver_ || thread->group != group || thread->done) continue;
    remove_runnable(thread.get());
    thread->frozen = true;
  }
}

std::size_t World::threads() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(threads_, [](const auto& thread) { return !thread->done && !thread->frozen; }));
}

std::string World::describe_threads() const {
  std::ostringstream out;
  for (const auto& thread : threads_) {
    if (thread->done || thread->frozen) continue;
    out << "  thread " << thread->number << " '" << thread->name << "' of group " << thread->group
        << (thread->blocked ? " waits" : " can run");
    if (thread->blocked && thread->deadline != kNever)
      out << " until " << (thread->deadline - now_) / 1'000'000 << " ms";
    out << "\n";
  }
  return out.str();
}

World::NoPreemption::NoPreemption() {
  ++steady;
}

World::NoPreemption::~NoPreemption() {
  --steady;
}

void* World::begin(void* argument) {
  auto* thread = static_cast<Thread*>(argument);
  this_thread = thread;
  thread->await();
  thread->result = thread->start(thread->argument);
  thread->done = true;
  World& world = *the_world;
  world.remove_runnable(thread);
  world.wake(thread, SIZE_MAX);
  Thread* next = world.choose();
  next->pass();
  // It does not end: what the C library does then would run beside the others.
  for (;;) thread->await();
  return nullptr;
}

// A sanitizer that is linked wants to know of threads.
extern "C" int __interceptor_pthread_create(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*)  // NOLINT
    __attribute__((weak));

namespace {

int create_real(pthread_t* handle, const pthread_attr_t* attributes, void* (*start)(void*), void* argument) {
  if (&__interceptor_pthread_create != nullptr)
    return __interceptor_pthread_create(handle, attributes, start, argument);
  return REAL(pthread_create)(handle, attributes, start, argument);
}

}  // namespace

int World::create(pthread_t* handle, const pthread_attr_t* /*attributes*/, void* (*start)(void*), void* argument) {
  threads_.push_back(std::make_unique<Thread>());
  Thread* thread = threads_.back().get();
  thread->number = threads_.size() - 1;
  thread->group = this_thread->group;
  thread->frozen = frozen_.contains(thread->group);
  thread->start = start;
  thread->argument = argument;
  std::snprintf(thread->name, sizeof thread->name, "-");
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, std::size_t{1} << 20);
  const int error = create_real(&thread->handle, &small, &World::begin, thread);
  pthread_attr_destroy(&small);
  if (error != 0) {
    threads_.pop_back();
    return error;
  }
  *handle = thread->handle;
  make_runnable(thread);
  return 0;
}

int World::join(pthread_t handle, void** result) {
  for (const auto& thread : threads_) {
    if (thread->handle != handle || thread.get() == driver_) continue;
    Thread* other = thread.get();
    while (!other->done) block(other, kNever);
    if (result != nullptr) *result = other->result;
    return 0;
  }
  return ESRCH;
}

// Sockets.

UniqueFd World::connect(const std::shared_ptr<Wire>& wire) {
  const int fd = kernel_->make(Kernel::Object::Kind::kSocket);
  kernel_->objects[fd].wire = wire;
  wire->fd_ = fd;
  return UniqueFd(fd);
}

void World::touched(int fd) {
  for (auto& [number, object] : kernel_->objects) {
    if (object.kind == Kernel::Object::Kind::kEpoll && object.watches.contains(fd)) wake(&object, SIZE_MAX);
  }
}

void World::kill_sockets(const std::vector<std::shared_ptr<Wire>>& wires) {
  for (const auto& wire : wires) {
    if (wire->released_) continue;
    wire->reset_ = true;
    wire->released_ = true;
    wire->sending_.clear();
  }
}

std::ptrdiff_t World::send(Wire& wire, const void* pieces, std::size_t count) {
  if (wire.reset_ || wire.server_ended_) {
    errno = wire.reset_ ? ECONNRESET : EPIPE;
    return -1;
  }
  std::size_t room = wire.send_buffer_ - std::min(wire.send_buffer_, wire.sending_.size());
  if (room == 0) {
    errno = EAGAIN;
    return -1;
  }
  std::ptrdiff_t sent = 0;
  for (std::size_t i = 0; i < count && room > 0; ++i) {
    const iovec& piece = static_cast<const iovec*>(pieces)[i];
    const std::size_t n = std::min(room, piece.iov_len);
    wire.sending_.append(static_cast<const char*>(piece.iov_base), n);
    room -= n;
    sent += static_cast<std::ptrdiff_t>(n);
  }
  return sent;
}

std::ptrdiff_t World::receive(const Wire& wire) {
  if (wire.client_ended_ && !wire.reset_) return 0;
  errno = wire.reset_ ? ECONNRESET : EAGAIN;
  return -1;
}

void World::shut(Wire& wire, bool release) {
  wire.server_ended_ = true;
  wire.released_ = wire.released_ || release;
}

// A FIN counts as one more.
int World::unacknowledged(const Wire& wire) {
  const auto bytes = static_cast<int>(wire.sending_.size());
  return bytes + (wire.server_ended_ && bytes != 0 ? 1 : 0);
}

std::size_t Wire::deliver(std::size_t limit) {
  if (reset_) return 0;
  const std::size_t room = window_ - std::min(window_, unread_.size());
  const std::size_t n = std::min({limit, room, sending_.size()});
  if (n == 0) return 0;
  unread_.append(sending_, 0, n);
  acknowledged_.append(sending_, 0, n);
  sending_.erase(0, n);
  if (!released_) the_world->touched(fd_);
  return n;
}

std::string Wire::read() {
  return std::exchange(unread_, {});
}

void Wire::finish() {
  if (client_ended_ || reset_) return;
  client_ended_ = true;
  if (!released_) the_world->touched(fd_);
}

void Wire::reset() {
  if (reset_) return;
  reset_ = true;
  if (!released_) the_world->touched(fd_);
}

// Disk.

void World::fail_disk(int group, std::uint64_t after, std::uint64_t count, int error, bool reads) {
  disks_[group] = {after, count, error, reads};
}

void World::mend_disk(int group) {
  disks_.erase(group);
}

bool World::disk_fails(bool read) {
  const auto found = disks_.find(this_thread->group);
  if (found == disks_.end() || (read && !found->second.reads)) return false;
  Disk& disk = found->second;
  if (disk.after > 0) {
    --disk.after;
    return false;
  }
  if (disk.count == 0) return false;
  --disk.count;
  errno = disk.error;
  return true;
}

// Time.

WallTime NodeClock::wall_now() const {
  return from_millis(kEpochMillis + (world_.now() - kStart) / 1'000'000) + off_;
}

std::chrono::milliseconds NodeClock::wait_time(SteadyTime deadline) const {
  const auto left = deadline - steady_now();
  if (left.count() <= 0) return std::chrono::milliseconds(0);
  return std::min<std::chrono::milliseconds>(std::chrono::ceil<std::chrono::milliseconds>(left), std::chrono::hours(1));
}

bool NodeClock::wait_until(CondVar& changed, Mutex& mutex, SteadyTime deadline) const SSE_NO_ANALYSIS {
  return changed.wait_until_system(mutex, deadline);
}

namespace {

// The world, on one of its threads; null before it is made.
World* here() {
  return this_thread != nullptr ? the_world : nullptr;
}

std::int64_t nanos_of(const timespec& time) {
  return time.tv_sec * kNanos + time.tv_nsec;
}

// What a clock of the C library shows at `now`.
std::int64_t shown(clockid_t clock, std::int64_t now) {
  return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ? now - kStart + kEpochMillis * 1'000'000 : now;
}

std::int64_t deadline_of(const World& world, clockid_t clock, const timespec& at) {
  return nanos_of(at) - shown(clock, world.now()) + world.now();
}

extern "C" char __executable_start;
extern "C" char etext;

// Where the program itself takes a mutex another thread may come first; inside SQLite none does.
bool is_ours(const void* address) {
  const auto* at = static_cast<const char*>(address);
  return at >= &__executable_start && at < &etext;
}

// Who has it, where the C library keeps that; how many wait, where it counts users.
int& owner(pthread_mutex_t* mutex) {
  return mutex->__data.__owner;
}
unsigned& waiters(pthread_mutex_t* mutex) {
  return mutex->__data.__nusers;
}
bool is_recursive(const pthread_mutex_t* mutex) {
  return (mutex->__data.__kind & 3) == PTHREAD_MUTEX_RECURSIVE;
}
unsigned& waiters(pthread_cond_t* condition) {
  return condition->__data.__g_size[0];
}

int my_number(const World& world) {
  return static_cast<int>(world.me()->number) + 1;
}

int lock(World& world, pthread_mutex_t* mutex) {
  const int mine = my_number(world);
  if (owner(mutex) == mine && is_recursive(mutex)) {
    ++mutex->__data.__count;
    return 0;
  }
  while (owner(mutex) != 0) {
    ++waiters(mutex);
    world.block(mutex, kNever);
    --waiters(mutex);
  }
  owner(mutex) = mine;
  mutex->__data.__count = 1;
  return 0;
}

int unlock(World& world, pthread_mutex_t* mutex) {
  if (is_recursive(mutex) && --mutex->__data.__count != 0) return 0;
  owner(mutex) = 0;
  if (waiters(mutex) != 0) world.wake(mutex, SIZE_MAX);
  return 0;
}

int wait(World& world, pthread_cond_t* condition, pthread_mutex_t* mutex, std::int64_t deadline) {
  if (deadline <= world.now()) {
    // Others may have the mutex meanwhile.
    unlock(world, mutex);
    world.yield();
    lock(world, mutex);
    return ETIMEDOUT;
  }
  unlock(world, mutex);
  ++waiters(condition);
  world.block(condition, deadline);
  --waiters(condition);
  const bool late = world.timed_out();
  lock(world, mutex);
  return late ? ETIMEDOUT : 0;
}

void sleep_for(World& world, std::int64_t nanos) {
  if (nanos <= 0) {
    world.yield();
    return;
  }
  const int unique = 0;
  world.block(&unique, world.now() + nanos);
}

long futex_call(World& world, std::uint32_t* word, int operation, std::uint32_t value, const timespec* timeout) {
  const int what = operation & FUTEX_CMD_MASK;
  if (what == FUTEX_WAKE || what == FUTEX_WAKE_BITSET) {
    if (world.kernel().futexes != 0) world.wake(word, value);
    return 0;
  }
  if (what != FUTEX_WAIT && what != FUTEX_WAIT_BITSET) {
    errno = ENOSYS;
    return -1;
  }
  if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value) {
    errno = EAGAIN;
    return -1;
  }
  std::int64_t deadline = kNever;
  if (timeout != nullptr) {
    deadline =
        what == FUTEX_WAIT
            ? world.now() + nanos_of(*timeout)
            : deadline_of(world, (operation & FUTEX_CLOCK_REALTIME) != 0 ? CLOCK_REALTIME : CLOCK_MONOTONIC, *timeout);
  }
  ++world.kernel().futexes;
  world.block(word, deadline);
  --world.kernel().futexes;
  if (!world.timed_out()) return 0;
  errno = ETIMEDOUT;
  return -1;
}

using Object = World::Kernel::Object;

Object* simulated(int fd) {
  World* world = here();
  return world == nullptr || fd < kFirstFd ? nullptr : world->kernel().find(fd);
}

int no_such() {
  errno = EBADF;
  return -1;
}

}  // namespace
}  // namespace sse::simulation

namespace simulation = sse::simulation;
using simulation::here;
using simulation::kFirstFd;
using simulation::simulated;
using simulation::World;

// NOLINTBEGIN: their names and types are the C library's.
std::random_device::result_type std::random_device::_M_getval() {
  if (World* world = here()) return static_cast<result_type>(world->random().number());
  return static_cast<result_type>(std::rand());
}

extern "C" {

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*),
                   void* argument) noexcept {
  World* world = here();
  return world != nullptr ? world->create(thread, attributes, start, argument)
                          : REAL(pthread_create)(thread, attributes, start, argument);
}

int pthread_join(pthread_t thread, void** result) {
  World* world = here();
  return world != nullptr ? world->join(thread, result) : REAL(pthread_join)(thread, result);
}

int pthread_detach(pthread_t thread) noexcept {
  return here() != nullptr ? 0 : REAL(pthread_detach)(thread);
}

int pthread_setname_np(pthread_t thread, const char* name) noexcept {
  World* world = here();
  if (world == nullptr) return REAL(pthread_setname_np)(thread, name);
  simulation::World::Thread* mine = world->me();
  std::snprintf(mine->name, sizeof mine->name, "%s", name);
  return 0;
}

int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  World* world = here();
  if (world == nullptr) return REAL(pthread_mutex_lock)(mutex);
  if (simulation::is_ours(__builtin_return_address(0))) world->maybe_preempt();
  return simulation::lock(*world, mutex);
}

int pthread_mutex_trylock(pthread_mutex_t* mutex) noexcept {
  World* world = here();
  if (world == nullptr) return REAL(pthread_mutex_trylock)(mutex);
  const bool again = simulation::owner(mutex) == simulation::my_number(*world) && simulation::is_recursive(mutex);
  if (simulation::owner(mutex) != 0 && !again) return EBUSY;
  return simulation::lock(*world, mutex);
}

int pthread_mutex_unlock(pthread_mutex_t* mutex) noexcept {
  World* world = here();
  return world != nullptr ? simulation::unlock(*world, mutex) : REAL(pthread_mutex_unlock)(mutex);
}

int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  World* world = here();
  if (world == nullptr) return REAL(pthread_cond_wait)(condition, mutex);
  return simulation::wait(*world, condition, mutex, simulation::kNever);
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* at) {
  World* world = here();
  if (world == nullptr) return REAL(pthread_cond_timedwait)(condition, mutex, at);
  return simulation::wait(*world, condition, mutex, simulation::deadline_of(*world, CLOCK_REALTIME, *at));
}

int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock, const timespec* at) {
  World* world = here();
  if (world == nullptr) return REAL(pthread_cond_clockwait)(condition, mutex, clock, at);
  return simulation::wait(*world, condition, mutex, simulation::deadline_of(*world, clock, *at));
}

int pthread_cond_signal(pthread_cond_t* condition) noexcept {
  World* world = here();
  if (world == nullptr) return REAL(pthread_cond_signal)(condition);
  if (simulation::waiters(condition) != 0) world->wake(condition, 1);
  return 0;
}

int pthread_cond_broadcast(pthread_cond_t* condition) noexcept {
  World* world = here();
  if (world == nullptr) return REAL(pthread_cond_broadcast)(condition);
  if (simulation::waiters(condition) != 0) world->wake(condition, SIZE_MAX);
  return 0;
}

int pthread_cond_destroy(pthread_cond_t* condition) noexcept {
  return here() != nullptr ? 0 : REAL(pthread_cond_destroy)(condition);
}

// Whatever the call, six are read, as the C library does: not all of them were passed.
__attribute__((no_sanitize("address"))) long syscall(long number, ...) noexcept {
  va_list arguments;
  va_start(arguments, number);
  std::array<long, 6> a{};
  for (long& one : a) one = va_arg(arguments, long);
  va_end(arguments);
  World* world = here();
  if (world != nullptr && number == SYS_futex) {
    return simulation::futex_call(*world, reinterpret_cast<std::uint32_t*>(a[0]), static_cast<int>(a[1]),
                                  static_cast<std::uint32_t>(a[2]), reinterpret_cast<const timespec*>(a[3]));
  }
  return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int sched_yield() noexcept {
  World* world = here();
  if (world == nullptr) return REAL(sched_yield)();
  world->yield();
  return 0;
}

int nanosleep(const timespec* time, timespec* left) {
  World* world = here();
  if (world == nullptr) return REAL(nanosleep)(time, left);
  simulation::sleep_for(*world, simulation::nanos_of(*time));
  return 0;
}

int clock_nanosleep(clockid_t clock, int flags, const timespec* time, timespec* left) {
  World* world = here();
  if (world == nullptr) return REAL(clock_nanosleep)(clock, flags, time, left);
  const std::int64_t until = (flags & TIMER_ABSTIME) != 0 ? simulation::deadline_of(*world, clock, *time) - world->now()
                                                          : simulation::nanos_of(*time);
  simulation::sleep_for(*world, until);
  return 0;
}

int usleep(useconds_t micros) {
  World* world = here();
  if (world == nullptr) return REAL(usleep)(micros);
  simulation::sleep_for(*world, std::int64_t{micros} * 1000);
  return 0;
}

unsigned sleep(unsigned seconds) {
  World* world = here();
  if (world == nullptr) return REAL(sleep)(seconds);
  simulation::sleep_for(*world, std::int64_t{seconds} * simulation::kNanos);
  return 0;
}

int clock_gettime(clockid_t clock, timespec* out) noexcept {
  World* world = here();
  if (world == nullptr) return REAL(clock_gettime)(clock, out);
  const std::int64_t at = simulation::shown(clock, world->now());
  out->tv_sec = at / simulation::kNanos;
  out->tv_nsec = at % simulation::kNanos;
  return 0;
}

int gettimeofday(timeval* out, void* zone) noexcept {
  World* world = here();
  if (world == nullptr) return REAL(gettimeofday)(out, zone);
  const std::int64_t at = simulation::shown(CLOCK_REALTIME, world->now());
  out->tv_sec = at / simulation::kNanos;
  out->tv_usec = at % simulation::kNanos / 1000;
  return 0;
}

time_t time(time_t* out) noexcept {
  World* world = here();
  if (world == nullptr) return REAL(time)(out);
  const time_t at = simulation::shown(CLOCK_REALTIME, world->now()) / simulation::kNanos;
  if (out != nullptr) *out = at;
  return at;
}

int epoll_create1(int flags) noexcept {
  World* world = here();
  return world != nullptr ? world->kernel().make(simulation::Object::Kind::kEpoll) : REAL(epoll_create1)(flags);
}

int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept {
  if (epoll < kFirstFd) return REAL(epoll_ctl)(epoll, operation, fd, event);
  simulation::Object* object = simulated(epoll);
  if (object == nullptr) return simulation::no_such();
  if (operation == EPOLL_CTL_DEL) {
    if (object->watches.erase(fd) == 0) errno = ENOENT;
    return 0;
  }
  World::Kernel::Watch& watch = object->watches[fd];
  watch.events = event->events;
  watch.data = event->data;
  here()->wake(object, SIZE_MAX);
  return 0;
}

int epoll_wait(int epoll, epoll_event* events, int limit, int timeout) {
  if (epoll < kFirstFd) return REAL(epoll_wait)(epoll, events, limit, timeout);
  World& world = *here();
  const std::int64_t deadline = timeout < 0 ? simulation::kNever : world.now() + std::int64_t{timeout} * 1'000'000;
  // Others may run between two turns of a loop that has always something to do.
  world.yield();
  for (;;) {
    simulation::Object* object = simulated(epoll);
    if (object == nullptr) return simulation::no_such();
    int n = 0;
    for (auto& [fd, watch] : object->watches) {
      if (n == limit) break;
      const std::uint32_t ready = world.kernel().ready(fd, watch);
      if (ready == 0) continue;
      if ((watch.events & EPOLLET) != 0) watch.seen = world.kernel().find(fd)->writes;
      events[n].events = ready;
      events[n++].data = watch.data;
    }
    if (n > 0) {
      // No order is promised.
      for (int i = n - 1; i > 0; --i) std::swap(events[i], events[world.random().below(static_cast<unsigned>(i) + 1)]);
      return n;
    }
    if (deadline <= world.now()) return 0;
    world.block(object, deadline);
  }
}

int eventfd(unsigned count, int flags) noexcept {
  World* world = here();
  return world != nullptr ? world->kernel().make(simulation::Object::Kind::kEvent) : REAL(eventfd)(count, flags);
}

int close(int fd) {
  if (fd < kFirstFd) return REAL(close)(fd);
  simulation::Object* object = simulated(fd);
  if (object == nullptr) return simulation::no_such();
  if (object->wire) World::shut(*object->wire, true);
  for (auto& [number, other] : here()->kernel().objects) other.watches.erase(fd);
  here()->kernel().objects.erase(fd);
  return 0;
}

ssize_t write(int fd, const void* bytes, size_t size) {
  if (fd < kFirstFd) return REAL(write)(fd, bytes, size);
  simulation::Object* object = simulated(fd);
  if (object == nullptr || object->kind != simulation::Object::Kind::kEvent) return simulation::no_such();
  ++object->writes;
  here()->touched(fd);
  return static_cast<ssize_t>(size);
}

static ssize_t send_on(simulation::Object* object, const iovec* pieces, size_t count);

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  if (fd < kFirstFd) return REAL(sendmsg)(fd, message, flags);
  return send_on(simulated(fd), message->msg_iov, message->msg_iovlen);
}

ssize_t send(int fd, const void* bytes, size_t size, int flags) {
  if (fd < kFirstFd) return REAL(send)(fd, bytes, size, flags);
  const iovec piece{const_cast<void*>(bytes), size};
  return send_on(simulated(fd), &piece, 1);
}

ssize_t recv(int fd, void* out, size_t size, int flags) {
  if (fd < kFirstFd) return REAL(recv)(fd, out, size, flags);
  const simulation::Object* object = simulated(fd);
  if (object == nullptr || !object->wire) return simulation::no_such();
  return World::receive(*object->wire);
}

int shutdown(int fd, int how) noexcept {
  if (fd < kFirstFd) return REAL(shutdown)(fd, how);
  const simulation::Object* object = simulated(fd);
  if (object == nullptr || !object->wire) return simulation::no_such();
  World::shut(*object->wire, false);
  return 0;
}

int ioctl(int fd, unsigned long request, ...) noexcept {
  va_list arguments;
  va_start(arguments, request);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  if (fd < kFirstFd) return REAL(ioctl)(fd, request, argument);
  const simulation::Object* object = simulated(fd);
  if (object == nullptr || !object->wire) return simulation::no_such();
  if (request != SIOCOUTQ) {
    errno = EINVAL;
    return -1;
  }
  *static_cast<int*>(argument) = World::unacknowledged(*object->wire);
  return 0;
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t at) {
  if (World* world = here(); world != nullptr && world->disk_fails(false)) return -1;
  return REAL(pwrite64)(fd, bytes, size, at);
}

ssize_t pread64(int fd, void* bytes, size_t size, off64_t at) {
  if (World* world = here(); world != nullptr && world->disk_fails(true)) return -1;
  return REAL(pread64)(fd, bytes, size, at);
}

int fdatasync(int fd) {
  World* world = here();
  if (world == nullptr) return REAL(fdatasync)(fd);
  // A run needs no disk that keeps it.
  return world->disk_fails(false) ? -1 : 0;
}

int fsync(int fd) {
  World* world = here();
  if (world == nullptr) return REAL(fsync)(fd);
  return world->disk_fails(false) ? -1 : 0;
}

}  // extern "C"
// NOLINTEND

static ssize_t send_on(simulation::Object* object, const iovec* pieces, size_t count) {
  if (object == nullptr || !object->wire) return simulation::no_such();
  return World::send(*object->wire, pieces, count);
}
