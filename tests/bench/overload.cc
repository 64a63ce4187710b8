// Clients that read nothing, or one byte a second, among many that read: the effect on the latency of the others.
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "base/error.h"
#include "pace.h"
#include "sections.h"
#include "ssectl/load/peer.h"

namespace sse::bench {
namespace {

// Clients that open streams and hardly read.
class StuckPeers {
 public:
  StuckPeers(const SseServe& serve, std::size_t count) {
    const load::Peer peer("127.0.0.1", serve.port());
    for (std::size_t i = 0; i < count; ++i) {
      UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const int smallest = 1;
      setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &smallest, sizeof smallest);
      const std::string request = "GET /my-sse/connect?userId=stuck" + std::to_string(i) +
                                  "&channel=stuck&keepaliveTime=0 HTTP/1.1\r\nHost: localhost\r\n\r\n";
      if (!load::bind_source(fd.get(), 40) || peer.connect(fd.get()) != 0 ||
          ::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0)
        throw system_error(errno, "cannot open a stream that will not read");
      fds_.push_back(std::move(fd));
    }
  }

  // Half of the clients read one byte.
  void nibble() {
    char byte = 0;
    for (std::size_t i = 0; i < fds_.size(); i += 2) static_cast<void>(recv(fds_[i].get(), &byte, 1, MSG_DONTWAIT));
  }

 private:
  std::vector<UniqueFd> fds_;
};

void fill(SseServe& serve, std::size_t events) {
  for (std::size_t i = 0; i < events; ++i)
    serve.send(SseServe::message(R"("channels":["stuck"])", std::string(64'000, 'x')));
}

struct Latencies {
  Figures all, one;
};

}  // namespace

void stuck_streams(const Settings& settings, Table& table) {
  const std::size_t stuck = std::max<std::size_t>(2, settings.streams / 100);
  SseServe serve(settings, "sse-serve", {"--max-backlog", "1MiB"});
  Attached others(serve, settings.streams - stuck);
  const std::size_t seconds = settings.quick ? 1 : 4;
  const auto round = [&](Latencies& into, StuckPeers* peers) {
    const std::size_t broadcasts = 4 * seconds;
    measure(others, broadcasts * others.count, into.all, [&](auto) {
      at_rate(4, broadcasts, [&](std::size_t n, SteadyTime) {
        serve.broadcast(1, settings.size);
        if (peers != nullptr && n % 4 == 0) peers->nibble();
      });
    });
    const std::size_t sends = 1000 * seconds;
    measure(others, sends, into.one, [&](auto) {
      at_rate(1000, sends, [&](std::size_t n, SteadyTime due) {
        serve.unicast(n * 7919 % others.count, settings.size, due);
        if (peers != nullptr && n % 1000 == 0) peers->nibble();
      });
    });
  };
  Latencies without;
  Latencies with;
  double memory = 0;
  double closed = 0;
  const int rounds = std::min(settings.rounds, 3);
  for (int i = 0; i < rounds; ++i) {
    round(without, nullptr);
    const double before = serve.process().memory_bytes();
    StuckPeers peers(serve, stuck);
    while (serve.status("connections") < static_cast<double>(settings.streams))
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    // The kernel buffers some 130 kB per stream; the rest is backlog in the server.
    fill(serve, 14);
    round(with, &peers);
    memory = std::max(memory, serve.process().memory_bytes() - before);
    // Exceed the backlog limit: exactly these streams are closed.
    fill(serve, 6);
    for (int wait = 0; wait < 500 && serve.status("connections") > static_cast<double>(others.count); ++wait)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    closed += static_cast<double>(settings.streams) - serve.status("connections");
  }
  const std::string count = std::to_string(stuck);
  const char* reference = "none stuck";
  const auto add = [&](const std::string& what, const char* unit, std::vector<double> Figures::*figure,
                       Figures Latencies::*kind) {
    table.add({"h", what, unit, median(with.*kind.*figure), median(without.*kind.*figure), reference, std::nullopt});
  };
  add(count + " stuck streams: an event to all reaches the others", "p50 ms", &Figures::p50_ms, &Latencies::all);
  add(count + " stuck streams: an event to all reaches the others", "p99 ms", &Figures::p99_ms, &Latencies::all);
  add(count + " stuck streams: 1,000 sends/s to the others", "p50 ms", &Figures::p50_ms, &Latencies::one);
  add(count + " stuck streams: 1,000 sends/s to the others", "p99 ms", &Figures::p99_ms, &Latencies::one);
  table.add({"h", "memory of a stuck stream (--max-backlog 1MiB)", "bytes", memory / static_cast<double>(stuck), 0, "",
             Bar::at_most(1.1 * 1024 * 1024)});
  table.add({"h", "streams closed over their backlog, all stuck ones", "of " + count, closed / rounds,
             static_cast<double>(stuck), "stuck ones", Bar::ratio_at_least(1)});
  if (others.clients.open_now() != others.count)
    throw Error(ErrorCode::kInternal, "a stream that reads was closed because of those that do not");
}

}  // namespace sse::bench
