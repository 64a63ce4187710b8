#include "clients.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <thread>

#include "base/error.h"

namespace sse::bench {
namespace {

constexpr unsigned kSources = 16;
constexpr std::chrono::seconds kTimeout{20};

double milliseconds(std::chrono::nanoseconds value) {
  return static_cast<double>(value.count()) / 1e6;
}

}  // namespace

struct Clients::Shared {
  load::Counters counters;
};

struct Clients::Command {
  enum class Kind : std::uint8_t { kOpen, kTake } kind;
  std::size_t count;
};

Clients::Clients(const Server& server, std::size_t streams, std::size_t first) : name_(server.name()) {
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int ends[2];
  if (memory == MAP_FAILED || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    throw system_error(errno, "cannot prepare a process of clients");
  shared_ = new (memory) Shared;
  load::ClientOptions options{load::Peer("127.0.0.1", server.port())};
  options.streams = streams;
  options.sources = kSources;
  options.counters = &shared_->counters;
  options.request = [&server, first](std::size_t n) { return server.request(first + n); };
  std::fflush(nullptr);
  pid_ = fork();
  if (pid_ == 0) serve(ends[1], std::move(options));
  ::close(ends[1]);
  socket_.reset(ends[0]);
}

Clients::~Clients() {
  socket_.reset();
  waitpid(pid_, nullptr, 0);
  munmap(shared_, sizeof(Shared));
}

// Runs in the child process until the parent closes the socket.
void Clients::serve(int socket, load::ClientOptions options) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Close the copies of the parent's descriptors, which would keep its connections open.
  if (dup2(socket, 3) == 3) close_range(4, ~0U, 0);
  try {
    load::StreamClients clients(std::move(options));
    Command command{};
    while (recv(3, &command, sizeof command, 0) == sizeof command) {
      if (command.kind == Command::Kind::kOpen) {
        const load::OpenResult result = clients.open(command.count, {});
        Opened opened{result.opened, result.failed, result.seconds, {}};
        result.first_error.copy(opened.first_error, sizeof opened.first_error - 1);
        ::send(3, &opened, sizeof opened, MSG_NOSIGNAL);
      } else {
        const load::Received received = clients.take();
        const auto at = [&](double quantile) { return milliseconds(received.latency.quantile(quantile)); };
        const Taken taken{received.events,
                          received.late,
                          received.duplicates,
                          received.closed,
                          at(0.5),
                          at(0.99),
                          milliseconds(received.latency.max())};
        ::send(3, &taken, sizeof taken, MSG_NOSIGNAL);
      }
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "compare: clients: %s\n", e.what());
    _exit(1);
  }
  _exit(0);
}

void Clients::command(const Command& command) const {
  if (::send(socket_.get(), &command, sizeof command, MSG_NOSIGNAL) != sizeof command)
    throw Error(ErrorCode::kInternal, "the clients of " + name_ + " have exited");
}

template <class Answer>
Answer Clients::answer() const {
  Answer answer;
  if (recv(socket_.get(), &answer, sizeof answer, 0) != sizeof answer)
    throw Error(ErrorCode::kInternal, "the clients of " + name_ + " have exited");
  return answer;
}

Clients::Opened Clients::open(std::size_t count) {
  start_opening(count);
  return finish_opening();
}

void Clients::start_opening(std::size_t count) {
  command({Command::Kind::kOpen, count});
}

Clients::Opened Clients::finish_opening() {
  const auto opened = answer<Opened>();
  if (opened.failed != 0) {
    throw Error(ErrorCode::kUnavailable,
                name_ + ": " + std::to_string(opened.failed) + " streams failed, " + opened.first_error);
  }
  return opened;
}

std::uint64_t Clients::events() const {
  return shared_->counters.events.load();
}

std::size_t Clients::open_now() const {
  return shared_->counters.open_now.load();
}

void Clients::wait_events(std::uint64_t count) const {
  std::uint64_t last = events();
  SteadyTime changed = steady_now();
  while (last < count) {
    // Seldom while many are missing: the server and its clients need both cores.
    constexpr std::uint64_t kMicrosPerEvent = 2;
    std::this_thread::sleep_for(
        std::chrono::microseconds(std::clamp<std::uint64_t>((count - last) * kMicrosPerEvent, 100, 10'000)));
    const std::uint64_t now = events();
    if (now != last) {
      last = now;
      changed = steady_now();
    } else if (steady_now() - changed > kTimeout) {
      throw Error(ErrorCode::kTimeout,
                  name_ + " lost events: " + std::to_string(last) + " of " + std::to_string(count) + " arrived");
    }
  }
}

Clients::Taken Clients::take() {
  command({Command::Kind::kTake, 0});
  return answer<Taken>();
}

}  // namespace sse::bench
