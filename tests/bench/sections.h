#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "clients.h"
#include "servers.h"
#include "table.h"

/// The sections of scripts/bench. Each section starts the servers it needs and stops them.
namespace sse::bench {

void single_events(const Settings& settings, Table& table);     // a
void bursts(const Settings& settings, Table& table);            // b
void unicast(const Settings& settings, Table& table);           // c
void connect_storm(const Settings& settings, Table& table);     // d
void idle_memory(const Settings& settings, Table& table);       // e
void durable(const Settings& settings, Table& table);           // f
void comeback(const Settings& settings, Table& table);          // f
void beside_nchan(const Settings& settings, Table& table);      // g
void stuck_streams(const Settings& settings, Table& table);     // h
void reconnect_storm(const Settings& settings, Table& table);   // i
void cross_node(const Settings& settings, Table& table);        // j
void five_nodes(const Settings& settings, Table& table);        // k
void cluster_cost(const Settings& settings, Table& table);      // k
void beside_broadcast(const Settings& settings, Table& table);  // l
void in_channels(const Settings& settings, Table& table);       // m

/// The median of a figure over all rounds.
inline double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[values.size() / 2];
}

/// 0, 1, … up to count - 1.
inline std::vector<std::size_t> first_streams(std::size_t count) {
  std::vector<std::size_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), std::size_t{0});
  return numbers;
}

inline double seconds_since(SteadyTime begin) {
  return std::chrono::duration<double>(steady_now() - begin).count();
}

/// A server with open streams; the first one has the number `first`.
struct Attached {
  Attached(Server& s, std::size_t streams, std::size_t first = 0) : Attached(s, streams, first, streams) {}
  /// Only `open` of them are open yet.
  Attached(Server& s, std::size_t streams, std::size_t first, std::size_t open)
      : server(s), clients(s, streams, first), count(streams) {
    clients.open(open);
  }

  Server& server;
  Clients clients;
  std::size_t count;
};

/// The results of several rounds of one measurement.
struct Figures {
  std::vector<double> rate;    ///< deliveries a second
  std::vector<double> cpu;     ///< CPU time of the server per delivery, in microseconds
  std::vector<double> p50_ms;  ///< latency from the time an event was due to reading it
  std::vector<double> p99_ms;
};

/// Calls `send`, waits until `deliveries` measured events have arrived, and adds the results to `figures`.
template <class Send>
void measure(Attached& attached, std::uint64_t deliveries, Figures& figures, Send send) {
  attached.clients.take();
  const std::uint64_t expected = attached.clients.events() + deliveries;
  const double cpu = attached.server.process().cpu_seconds();
  const SteadyTime begin = steady_now();
  send(expected - deliveries);
  attached.clients.wait_events(expected);
  const double seconds = seconds_since(begin);
  const double used = attached.server.process().cpu_seconds() - cpu;
  const Clients::Taken taken = attached.clients.take();
  const auto count = static_cast<double>(deliveries);
  figures.rate.push_back(count / seconds);
  figures.cpu.push_back(used * 1e6 / count);
  figures.p50_ms.push_back(taken.p50_ms);
  figures.p99_ms.push_back(taken.p99_ms);
}

}  // namespace sse::bench
