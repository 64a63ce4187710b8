// A client with ten thousand pending messages reconnects: how long until it has received all of them, and the effect on
// the latency of other clients.
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <thread>

#include "base/error.h"
#include "event/chunk_reader.h"
#include "pace.h"
#include "sections.h"
#include "ssectl/load/mark.h"
#include "ssectl/load/peer.h"

namespace sse::bench {
namespace {

constexpr std::size_t kOthers = 100;
constexpr std::size_t kLines = 1000;

void store(SseServe& serve, std::size_t messages, std::size_t size) {
  load::Poster poster(serve.admin(), "/api/v1/send", "application/x-ndjson");
  for (std::size_t done = 0; done < messages; done += kLines) {
    std::string body;
    for (std::size_t i = 0; i < kLines; ++i)
      body += SseServe::message(R"("users":["back"])", load::payload({steady_now(), 0, done + i}, size), true) + "\n";
    if (!poster.post(body).good()) throw Error(ErrorCode::kInternal, "cannot store the pending messages");
  }
}

// Returns the seconds from connecting until the last message is received.
double measure_resume(int port, std::size_t messages) {
  const SteadyTime begin = steady_now();
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const std::string request = "GET /my-sse/connect?userId=back&keepaliveTime=0 HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const timeval limit{20, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (load::Peer("127.0.0.1", port).connect(fd.get()) != 0 ||
      ::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0)
    throw system_error(errno, "cannot open a stream");
  std::array<char, std::size_t{256} * 1024> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  char last = 0;
  std::string head;
  bool in_body = false;
  event::ChunkReader chunks;
  // The event connect-finish counts as one more.
  for (std::size_t events = 0; events < messages + 1;) {
    const ssize_t n = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (n <= 0) throw Error(ErrorCode::kInternal, "not all pending messages arrived");
    std::string_view bytes(buffer.data(), static_cast<std::size_t>(n));
    if (!in_body) {
      head += bytes;
      const std::size_t end = head.find("\r\n\r\n");
      if (end == std::string::npos) continue;
      in_body = true;
      bytes = std::string_view(head).substr(end + 4);
    }
    chunks.feed(bytes, [&](std::string_view part) {
      for (const char c : part) {
        if (c == '\n' && last == '\n') ++events;
        last = c;
      }
    });
  }
  return seconds_since(begin);
}

}  // namespace

void comeback(const Settings& settings, Table& table) {
  const std::size_t messages = settings.quick ? 2000 : 10'000;
  SseServe serve(settings, "sse-serve", {"--db", settings.folder + "/waiting.db", "--qos-max-per-user", "1000000"});
  Attached others(serve, kOthers);
  std::vector<double> seconds;
  Figures without;
  Figures with;
  for (int round = 0; round < settings.rounds; ++round) {
    // Half a second only, so that the effect of the reconnect shows in the 99th percentile of the others.
    const auto send_to_others = [&](Figures& into, bool beside) {
      constexpr std::size_t kSends = 500;
      measure(others, kSends, into, [&](auto) {
        std::thread back;
        at_rate(1000, kSends, [&](std::size_t n, SteadyTime due) {
          if (beside && n == 50) {
            back = std::thread([&] {
              try {
                seconds.push_back(measure_resume(serve.port(), messages));
              } catch (const Error& e) {
                std::fprintf(stderr, "compare: %s\n", e.what());
              }
            });
          }
          serve.unicast(n * 7919 % kOthers, settings.size, due);
        });
        if (back.joinable()) back.join();
      });
    };
    store(serve, messages, settings.size);
    send_to_others(without, false);
    send_to_others(with, true);
    for (int wait = 0; wait < 1000 && serve.status("pending") > 0; ++wait)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    if (serve.status("pending") > 0 || seconds.size() != static_cast<std::size_t>(round) + 1)
      throw Error(ErrorCode::kInternal, "not all pending messages were delivered and confirmed");
  }
  const std::string who = "back to " + std::to_string(messages) + " pending messages";
  table.add({"f", who + ": all received", "s", median(seconds), 0, "", Bar::at_most(1)});
  table.add({"f", "1,000 sends/s to others meanwhile", "p50 ms", median(with.p50_ms), median(without.p50_ms),
             "no reconnect", std::nullopt});
  table.add({"f", "1,000 sends/s to others meanwhile", "p99 ms", median(with.p99_ms), median(without.p99_ms),
             "no reconnect", std::nullopt});
}

}  // namespace sse::bench
