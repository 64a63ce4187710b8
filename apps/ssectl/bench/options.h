#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sse::ctl::bench {

/// The options of `ssectl bench`, as parsed.
struct Options {
  std::size_t streams = 100;
  std::uint64_t events = 100;
  std::size_t size = 100;
  double rate = 0;  ///< events a second; 0: as fast as the server accepts them
  std::uint64_t burst = 1;
  std::string to = "channel";
  bool qos = false;
  unsigned senders = 1;
  unsigned threads = 1;
  unsigned sources = 1;
  std::string url;
  std::vector<std::string> headers;
  std::string drain = "10s";
};

/// Throws Error(kInvalidArgument) for options that are invalid, alone or together; the message says what is valid.
void check(const Options& options);

/// Throws Error(kInvalidArgument) when `limit` descriptors are too few for the streams. The message names the resource
/// limit and says how to raise it.
void require_descriptors(const Options& options, std::size_t limit);

}  // namespace sse::ctl::bench
