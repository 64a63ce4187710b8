#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "ssectl/bench/options.h"

namespace sse::ctl::bench {

/// The plan of a bench run: which events are sent, when, and to which streams. The senders take turns at groups of
/// `--burst` events.
class Plan {
 public:
  /// `mark` is the prefix of the user names of the run, and names its channel. `streams` are the numbers of the open
  /// streams. REQUIRES: `streams` is not empty.
  Plan(const Options& options, std::string mark, const std::string& service, std::vector<std::size_t> streams);

  std::uint64_t groups() const { return (options_.events + options_.burst - 1) / options_.burst; }
  /// Number of events in the group; only the last group may be smaller than the others.
  std::uint64_t size_of(std::uint64_t group) const;
  /// When the group is due, relative to the start of the run; always 0 without a rate.
  std::chrono::nanoseconds due(std::uint64_t group) const;
  /// Number of this run's streams that receive each event.
  std::uint64_t receivers() const { return single_recipient_ ? 1 : streams_.size(); }

  /// One that a --channel-rule for `bench.*` opens.
  static std::string channel(const std::string& mark) { return "bench." + mark; }
  static std::string user(const std::string& mark, std::size_t stream) { return mark + "-" + std::to_string(stream); }

 private:
  friend class Sender;

  const Options options_;
  const std::string mark_;
  const std::vector<std::size_t> streams_;
  const bool single_recipient_;
  std::string target_;  // unless single_recipient_
  std::string middle_;  // between the target and the data
};

/// Builds the requests of one sender. When an event goes to a single stream, each sender has its own set of streams.
class Sender {
 public:
  /// REQUIRES: number < --senders. The plan outlives it.
  Sender(const Plan& plan, unsigned number);

  /// The request body of a group: a JSON object, or with a burst one JSON object per line.
  const std::string& group(std::uint64_t group, SteadyTime intended);

 private:
  void add_message(SteadyTime intended);

  const Plan& plan_;
  const unsigned number_;
  std::uint64_t random_;  // state of next_random()
  std::vector<std::size_t> own_streams_;
  std::vector<std::uint64_t> sequences_;  // of the streams in own_streams_, or one for all
  std::uint64_t sent_ = 0;
  std::string body_;
};

}  // namespace sse::ctl::bench
