#pragma once

#include <cstdint>

namespace sse::gateway {

/// Memory of this process that is in RAM, in bytes: proc(5), /proc/pid/statm.
std::uint64_t resident_bytes();
/// Processor time of this process, of users and system, in microseconds.
std::int64_t cpu_micros();
/// Threads of this process.
int thread_count();

}  // namespace sse::gateway
