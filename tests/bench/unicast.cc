// Events to one user among many: with calls over one keep-alive connection, in bulk, and at a steady rate.
#include <memory>

#include "pace.h"
#include "sections.h"

namespace sse::bench {
namespace {

// Spreads consecutive sends over streams that are not adjacent in memory.
std::size_t scattered(std::size_t n, std::size_t streams) {
  constexpr std::size_t kPrime = 7919;
  return n * kPrime % streams;
}

struct Bulk {
  std::vector<double> accepted, delivered;  // per second
};

void bulk(SseServe& serve, Attached& ours, const Settings& settings, Bulk& figures) {
  Figures all;
  measure(ours, ours.count, all, [&](auto) {
    const SteadyTime begin = steady_now();
    serve.unicast_bulk(first_streams(ours.count), settings.size);
    figures.accepted.push_back(static_cast<double>(ours.count) / seconds_since(begin));
  });
  figures.delivered.push_back(all.rate.front());
}

}  // namespace

void unicast(const Settings& settings, Table& table) {
  SseServe serve(settings, "sse-serve", {});
  Attached ours(serve, settings.streams);
  std::unique_ptr<Nginx> nchan;
  std::unique_ptr<Attached> theirs;
  if (!settings.nchan.empty()) {
    nchan = std::make_unique<Nginx>(settings, Nginx::Channels::kOwn);
    theirs = std::make_unique<Attached>(*nchan, settings.streams);
  }
  Figures single;
  Figures reference;
  Bulk in_bulk;
  for (int round = 0; round < settings.rounds; ++round) {
    measure(ours, ours.count, single, [&](auto) {
      for (std::size_t i = 0; i < ours.count; ++i) serve.unicast(scattered(i, ours.count), settings.size);
    });
    if (theirs) {
      measure(*theirs, theirs->count, reference, [&](auto) {
        for (std::size_t i = 0; i < theirs->count; ++i) nchan->unicast(scattered(i, theirs->count), settings.size);
      });
    }
    bulk(serve, ours, settings, in_bulk);
  }
  theirs.reset();
  nchan.reset();
  const std::string what = "one event to each user, a call each";
  const std::string name = settings.nchan.empty() ? "" : "nchan";
  const auto no_worse = [&](bool more) {
    return name.empty() ? std::nullopt : std::optional(more ? Bar::ratio_at_least(1) : Bar::ratio_at_most(1));
  };
  table.add({"c", what, "sends/s", median(single.rate), median(reference.rate), name, std::nullopt});
  table.add({"c", what, "p50 ms", median(single.p50_ms), median(reference.p50_ms), name, no_worse(false)});
  table.add({"c", what, "server µs/send", median(single.cpu), median(reference.cpu), name, no_worse(false)});
  table.add({"c", "the same in one bulk call, accepted", "sends/s", median(in_bulk.accepted), median(single.rate),
             "a call each", Bar::ratio_at_least(20)});
  table.add({"c", "the same in one bulk call, delivered", "sends/s", median(in_bulk.delivered), median(single.rate),
             "a call each", std::nullopt});

  Figures paced;
  constexpr double kRate = 1000;
  const auto count = static_cast<std::size_t>(kRate) * (settings.quick ? 1 : 5);
  for (int round = 0; round < std::min(settings.rounds, 3); ++round) {
    measure(ours, count, paced, [&](auto) {
      at_rate(kRate, count,
              [&](std::size_t n, SteadyTime due) { serve.unicast(scattered(n, ours.count), settings.size, due); });
    });
  }
  table.add({"c", "1,000 sends/s to one user each", "p50 ms", median(paced.p50_ms), 0, "", std::nullopt});
  table.add({"c", "1,000 sends/s to one user each", "p99 ms", median(paced.p99_ms), 0, "", Bar::at_most(3)});
}

}  // namespace sse::bench
