// Events to all streams: one at a time, in bursts, and as fast as the server accepts them.
#include "sections.h"

namespace sse::bench {
namespace {

// Sends `bursts` bursts of `burst` events; each burst starts when the previous one has arrived at all streams.
void fan_out(Attached& attached, int bursts, int burst, std::size_t size, Figures& figures) {
  const std::uint64_t per_burst = attached.count * static_cast<std::uint64_t>(burst);
  measure(attached, per_burst * static_cast<std::uint64_t>(bursts), figures, [&](std::uint64_t before) {
    for (int i = 1; i <= bursts; ++i) {
      attached.server.broadcast(burst, size);
      attached.clients.wait_events(before + per_burst * static_cast<std::uint64_t>(i));
    }
  });
}

struct Pair {
  Figures ours, reference;
};

Pair in_turns(Attached& ours, Attached& reference, const Settings& settings, int bursts, int burst) {
  Pair pair;
  Figures warm_up;
  for (Attached* attached : {&ours, &reference}) fan_out(*attached, 1, burst, settings.size, warm_up);
  for (int round = 0; round < settings.rounds; ++round) {
    fan_out(ours, bursts, burst, settings.size, pair.ours);
    fan_out(reference, bursts, burst, settings.size, pair.reference);
  }
  return pair;
}

std::vector<std::string> loops(int count) {
  return {"--loops", std::to_string(count)};
}

std::string with_loops(const std::string& what, int count) {
  return what + ", " + std::to_string(count) + (count == 1 ? " loop" : " loops");
}

// Compares with the bare loop, for one stream loop and for two.
void against_bare(const Settings& settings, Table& table, const char* section, const std::string& what, int bursts,
                  int burst, double one_loop, double two_loops, std::optional<Bar> cpu) {
  for (const int count : {1, 2}) {
    BareLoop bare(settings);
    SseServe serve(settings, "sse-serve", loops(count));
    Attached ours(serve, settings.streams);
    Attached reference(bare, settings.streams);
    const Pair pair = in_turns(ours, reference, settings, bursts, burst);
    const std::string name = with_loops(what, count);
    table.add({section, name, "deliveries/s", median(pair.ours.rate), median(pair.reference.rate), bare.name(),
               Bar::ratio_at_least(count == 1 ? one_loop : two_loops)});
    table.add(
        {section, name, "server µs/delivery", median(pair.ours.cpu), median(pair.reference.cpu), bare.name(), cpu});
  }
}

}  // namespace

void single_events(const Settings& settings, Table& table) {
  against_bare(settings, table, "a", "single events to all", 10, 1, 0.95, 1.3, Bar::ratio_at_most(1.05));
}

void bursts(const Settings& settings, Table& table) {
  against_bare(settings, table, "b", "bursts of 10 to all", 5, 10, 5, 7, std::nullopt);
  if (settings.nchan.empty()) return table.note("b: without nchan no reference for 100 broadcasts");
  Nginx nchan(settings, Nginx::Channels::kShared);
  SseServe serve(settings, "sse-serve", {});
  Attached ours(serve, settings.streams);
  Attached reference(nchan, settings.streams);
  Pair pair;
  Figures bulk;
  constexpr int kEvents = 100;
  const std::uint64_t deliveries = settings.streams * kEvents;
  for (int round = 0; round < std::min(settings.rounds, 3); ++round) {
    measure(ours, deliveries, pair.ours, [&](auto) { serve.broadcast_singly(kEvents, settings.size); });
    measure(ours, deliveries, bulk, [&](auto) { serve.broadcast(kEvents, settings.size); });
    measure(reference, deliveries, pair.reference, [&](auto) { nchan.broadcast(kEvents, settings.size); });
  }
  const double nchan_rate = median(pair.reference.rate);
  table.add({"b", "100 broadcasts as fast as accepted, one bulk call", "deliveries/s", median(bulk.rate), nchan_rate,
             nchan.name(), Bar::ratio_at_least(20)});
  table.add({"b", "100 broadcasts as fast as accepted, a call each", "deliveries/s", median(pair.ours.rate), nchan_rate,
             nchan.name(), Bar::ratio_at_least(10)});
  table.add({"b", "100 broadcasts, one bulk call", "server µs/delivery", median(bulk.cpu), median(pair.reference.cpu),
             nchan.name(), std::nullopt});
}

void beside_nchan(const Settings& settings, Table& table) {
  if (settings.nchan.empty()) return table.note("g: omitted, nginx with libnginx-mod-nchan is not installed");
  Nginx nchan(settings, Nginx::Channels::kShared);
  SseServe serve(settings, "sse-serve", {});
  Attached ours(serve, settings.streams);
  Attached reference(nchan, settings.streams);
  const Pair pair = in_turns(ours, reference, settings, 10, 1);
  table.add({"g", "single events to all", "deliveries/s", median(pair.ours.rate), median(pair.reference.rate),
             nchan.name(), std::nullopt});
  table.add({"g", "single events to all", "server µs/delivery", median(pair.ours.cpu), median(pair.reference.cpu),
             nchan.name(), Bar::ratio_at_most(0.7)});
  table.add({"g", "until the median stream has it", "ms", median(pair.ours.p50_ms), median(pair.reference.p50_ms),
             nchan.name(), Bar::ratio_at_most(0.5)});
  table.add({"g", "until 99 % of the streams have it", "ms", median(pair.ours.p99_ms), median(pair.reference.p99_ms),
             nchan.name(), std::nullopt});
}

}  // namespace sse::bench
