// All clients connect at once: to a fresh server, and again to a restarted one.
#include <memory>
#include <thread>

#include "pace.h"
#include "sections.h"

namespace sse::bench {
namespace {

double opening_rate(Server& server, std::size_t streams) {
  Clients clients(server, streams);
  const Clients::Opened opened = clients.open(streams);
  return static_cast<double>(opened.opened) / opened.seconds;
}

void wait_until_empty(SseServe& serve) {
  for (int i = 0; i < 500 && serve.status("connections") > 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

}  // namespace

void connect_storm(const Settings& settings, Table& table) {
  SseServe serve(settings, "sse-serve", {});
  std::unique_ptr<Nginx> nginx;
  if (!settings.nginx.empty()) nginx = std::make_unique<Nginx>(settings, Nginx::Channels::kShared, true);
  std::vector<double> ours;
  std::vector<double> reference;
  // The first storm is not counted: it allocates the buffers of both servers.
  for (int round = -1; round < settings.rounds; ++round) {
    const double our_rate = opening_rate(serve, settings.streams);
    const double nginx_rate = nginx ? opening_rate(*nginx, settings.streams) : 0;
    wait_until_empty(serve);
    if (round < 0) continue;
    ours.push_back(our_rate);
    reference.push_back(nginx_rate);
  }
  const std::string what = "connect storm, " + std::to_string(settings.streams) + " streams";
  if (!nginx) return table.add({"d", what, "streams/s", median(ours), 0, "", std::nullopt});
  table.add(
      {"d", what, "streams/s", median(ours), median(reference), "nginx, empty answers", Bar::ratio_at_least(0.7)});
}

// A server is killed and restarted. Some clients reconnect early and receive events while all others reconnect.
void reconnect_storm(const Settings& settings, Table& table) {
  const std::size_t early = std::max<std::size_t>(1, settings.streams / 20);
  const std::size_t rest = settings.streams - early;
  auto serve = std::make_unique<SseServe>(settings, "sse-serve", std::vector<std::string>{});
  double before = 0;
  {
    Attached all(*serve, settings.streams);
    before = serve->process().memory_bytes();
    serve->process().kill();
    for (int i = 0; i < 500 && all.clients.open_now() > 0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const std::string port = std::to_string(serve->port());
  serve = std::make_unique<SseServe>(settings, "sse-serve", std::vector<std::string>{"--listen", "127.0.0.1:" + port});
  const double empty = serve->process().memory_bytes();
  Attached first(*serve, early);
  auto others = std::make_unique<Clients>(*serve, rest, early);
  // Latency at rest, then during the storm.
  constexpr double kRate = 500;
  Figures calm;
  const std::size_t sends = settings.quick ? 200 : 1000;
  const auto send = [&](std::size_t n, SteadyTime due) { serve->unicast(n % early, settings.size, due); };
  measure(first, sends, calm, [&](auto) { at_rate(kRate, sends, send); });
  Figures storm;
  others->start_opening(rest);
  std::size_t sent = 0;
  first.clients.take();
  const std::uint64_t had = first.clients.events();
  const SteadyTime begin = steady_now();
  while (others->open_now() < rest && steady_now() - begin < std::chrono::seconds(60)) {
    at_rate(kRate, 25, [&](std::size_t n, SteadyTime due) { send(sent + n, due); });
    sent += 25;
  }
  const Clients::Opened opened = others->finish_opening();
  first.clients.wait_events(had + sent);
  const Clients::Taken during = first.clients.take();
  const double full = serve->process().memory_bytes();
  table.add({"i", "all reconnected after kill -9 and restart", "streams/s",
             static_cast<double>(opened.opened) / opened.seconds, 0, "", std::nullopt});
  table.add({"i", "500 sends/s to early clients while others reconnect", "p99 ms", during.p99_ms, median(calm.p99_ms),
             "at rest", std::nullopt});
  table.add(
      {"i", "memory with all back", "MB", full / 1e6, before / 1e6, "before the storm", Bar::ratio_at_most(1.25)});
  others.reset();
  for (int i = 0; i < 500 && serve->status("connections") > static_cast<double>(early); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  std::this_thread::sleep_for(std::chrono::seconds(settings.quick ? 1 : 3));
  table.add({"i", "memory after all have disconnected", "MB", serve->process().memory_bytes() / 1e6, empty / 1e6,
             "after the start", std::nullopt});
}

}  // namespace sse::bench
