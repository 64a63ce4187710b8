#pragma once

#include <cstdint>

namespace sse::server {

/// Resident memory of this process in bytes: proc(5), /proc/pid/statm.
std::uint64_t resident_bytes();
/// User and system CPU time of this process in microseconds.
std::int64_t cpu_micros();
/// Number of threads of this process.
int thread_count();

}  // namespace sse::server
