#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bench_options.h"
#include "bench_sending.h"
#include "event/json.h"
#include "load/stream_clients.h"
#include "table.h"

namespace sse::ctl {

/// The server's own figures at some moment.
struct ServerSample {
  std::uint64_t cpu_micros = 0;
  std::uint64_t memory = 0;
  std::size_t streams = 0;  ///< of ours, open then
};

/// Everything that was measured. What a run that was cut short did not get to is left at its default.
struct BenchResult {
  load::OpenResult opened;
  std::size_t open_at_start = 0;  ///< streams that were open when sending began
  BenchSent sent;
  std::uint64_t receivers = 0;  ///< streams an event goes to
  load::Received received;
  // With some streams open, with all, before and after sending; none where the server did not say.
  std::optional<ServerSample> warm, full, before, after;
  std::string stopped;  ///< why it was cut short
};

/// As JSON. Figures that nobody can know, such as the CPU time of a server that is gone, are null.
event::Json bench_report(const BenchOptions& options, const BenchResult& result);
/// The same for people.
std::string describe_bench(const event::Json& report, const Look& look);
/// Whether all streams opened, all events were accepted and every one arrived once and in order. With qos an event may
/// come twice.
bool is_clean(const event::Json& report);

}  // namespace sse::ctl
