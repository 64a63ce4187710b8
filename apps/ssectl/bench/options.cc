#include "ssectl/bench/options.h"

#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "ssectl/input/values.h"
#include "ssectl/load/mark.h"

namespace sse::ctl::bench {
namespace {

constexpr double kMaxRate = 1e7;

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorCode::kInvalidArgument, why);
}

}  // namespace

void check(const Options& options) {
  if (!std::isfinite(options.rate) || options.rate < 0 || options.rate > kMaxRate) {
    refuse("--rate must be a number of events a second from 0 (as fast as accepted) to 10000000");
  }
  if (options.size < load::kMinDataSize) {
    refuse("--size must be at least " + std::to_string(load::kMinDataSize) +
           ": each event contains its due time and its sequence number");
  }
  if (options.burst > options.events) {
    refuse("--burst " + std::to_string(options.burst) + " exceeds the number of --events, " +
           std::to_string(options.events));
  }
  const std::uint64_t bursts = (options.events + options.burst - 1) / options.burst;
  if (options.senders > bursts) {
    refuse("--senders " + std::to_string(options.senders) + " have only " + std::to_string(bursts) +
           " sends to share; use fewer senders or more --events");
  }
  const bool one_each = options.to == "each" || options.to == "random";
  if (one_each && options.senders > options.streams) {
    refuse("with --to " + options.to + " each sender needs its own streams; use no more --senders than --streams");
  }
  if (options.threads > options.streams) {
    refuse("--threads " + std::to_string(options.threads) + " is more than --streams; each thread needs a stream");
  }
  for (const std::string& header : options.headers) {
    const std::size_t colon = header.find(':');
    if (colon == 0 || colon == std::string::npos || header.find_first_of("\r\n") != std::string::npos) {
      refuse("--header '" + printable(header, 60) + "' is not of the form 'Name: value'");
    }
  }
  duration_option("--drain", options.drain);
}

void require_descriptors(const Options& options, std::size_t limit) {
  constexpr std::size_t kOthers = 64;
  const std::size_t needed = options.streams + options.senders + kOthers;
  if (needed <= limit) return;
  refuse(std::to_string(options.streams) + " streams need " + std::to_string(needed) +
         " descriptors, and the hard limit (RLIMIT_NOFILE) lets this process open " + std::to_string(limit) +
         "; raise it as root with 'ulimit -n " + std::to_string(needed) +
         "', LimitNOFILE= of the systemd unit or 'nofile' in /etc/security/limits.conf, or use fewer --streams");
}

}  // namespace sse::ctl::bench
