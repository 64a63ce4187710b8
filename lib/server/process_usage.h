#pragma once

#include <cstddef>
#include <cstdint>

#include "observe/metrics.h"

namespace sse::server {

/// Resident memory of this process in bytes: proc(5), /proc/pid/statm.
std::uint64_t resident_bytes();
/// User and system CPU time of this process in microseconds.
std::int64_t cpu_micros();
/// Number of threads of this process.
int thread_count();

/// Registers what Prometheus' client libraries say of every process, under their names: `process_cpu_seconds_total`,
/// `process_resident_memory_bytes`, `process_virtual_memory_bytes`, `process_start_time_seconds`, `process_open_fds`,
/// `process_max_fds` and `process_threads`.
void add_process_metrics(observe::Registry& metrics);

}  // namespace sse::server
