#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "event/json.h"
#include "ssectl/bench/options.h"
#include "ssectl/bench/sending.h"
#include "ssectl/load/stream_clients.h"
#include "ssectl/terminal/table.h"

namespace sse::ctl::bench {

/// What the server reports about itself at one moment.
struct ServerSample {
  std::uint64_t cpu_micros = 0;
  std::uint64_t memory = 0;
  std::size_t streams = 0;  ///< streams of this run that were open then
};

/// Everything that a bench run measured. When a run is cut short, the remaining fields keep their defaults.
struct Result {
  load::OpenResult opened;
  std::size_t open_at_start = 0;  ///< streams that were open when sending began
  Sent sent;
  std::uint64_t receivers = 0;  ///< streams that receive each event
  load::Received received;
  // With some streams open, with all open, before sending, after sending; nullopt if the server did not answer.
  std::optional<ServerSample> warm, full, before, after;
  std::string stopped;  ///< why the run was cut short
};

/// The result as JSON. Figures that cannot be known, such as the CPU time of a server that has exited, are null.
event::Json report_of(const Options& options, const Result& result);
/// The report as text for the terminal.
std::string describe(const event::Json& report, const TableStyle& style);
/// Whether all streams opened, all events were accepted, and each event arrived exactly once and in order. With qos,
/// duplicates are allowed.
bool is_clean(const event::Json& report);

}  // namespace sse::ctl::bench
