#include "server/process_usage.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

namespace sse::server {
namespace {

struct Memory {
  std::uint64_t total = 0;     // bytes
  std::uint64_t resident = 0;  // bytes
};

Memory memory() {
  std::ifstream statm("/proc/self/statm");
  Memory pages;
  statm >> pages.total >> pages.resident;
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  return {pages.total * page, pages.resident * page};
}

// Since 1970, to a second: field 22 of /proc/self/stat counts clock ticks since the machine's start, `btime` in
// /proc/stat. The second field, the program's name in parentheses, may contain anything.
double start_time() {
  std::ifstream stat("/proc/self/stat");
  const std::string text{std::istreambuf_iterator<char>(stat), {}};
  std::size_t at = text.rfind(')');
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = text.find(' ', at + 1);
  if (at == std::string::npos) return 0;
  const double ticks = std::stod(text.substr(at));
  std::ifstream machine("/proc/stat");
  std::string word;
  double boot = 0;
  while (boot == 0 && machine >> word) {
    if (word == "btime") machine >> boot;
  }
  return boot + ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double open_descriptors() {
  std::error_code error;
  const std::filesystem::directory_iterator open("/proc/self/fd", error);
  // One of them reads the folder.
  return error ? 0 : static_cast<double>(std::distance(begin(open), end(open)) - 1);
}

double max_descriptors() {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<double>(limit.rlim_cur) : 0;
}

}  // namespace

std::uint64_t resident_bytes() {
  return memory().resident;
}

std::int64_t cpu_micros() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

int thread_count() {
  std::ifstream status("/proc/self/status");
  std::string word;
  int threads = 0;
  while (status >> word) {
    if (word == "Threads:") status >> threads;
  }
  return threads;
}

void add_process_metrics(observe::Registry& metrics) {
  metrics.counter_callback("process_cpu_seconds_total", "User and system CPU time spent in seconds",
                           [] { return static_cast<double>(cpu_micros()) / 1e6; });
  metrics.gauge_callback("process_resident_memory_bytes", "Resident memory size in bytes",
                         [] { return static_cast<double>(memory().resident); });
  metrics.gauge_callback("process_virtual_memory_bytes", "Virtual memory size in bytes",
                         [] { return static_cast<double>(memory().total); });
  metrics.gauge_callback("process_start_time_seconds", "Start time of the process in seconds since 1970",
                         [started = start_time()] { return started; });
  metrics.gauge_callback("process_open_fds", "Open file descriptors", open_descriptors);
  metrics.gauge_callback("process_max_fds", "File descriptors that may be open", max_descriptors);
  metrics.gauge_callback("process_threads", "Threads of the process",
                         [] { return static_cast<double>(thread_count()); });
}

}  // namespace sse::server
