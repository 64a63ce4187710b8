#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "bench_options.h"

namespace sse::ctl {

/// Which events a run sends when and to whom: senders take turns at groups of `--burst` events.
class BenchPlan {
 public:
  /// `mark` is the channel and the start of the user names of the run; `streams` those that are open, not none.
  BenchPlan(const BenchOptions& options, std::string mark, const std::string& service,
            std::vector<std::size_t> streams);

  std::uint64_t groups() const { return (options_.events + options_.burst - 1) / options_.burst; }
  /// How many events the group has; only the last may have fewer than the others.
  std::uint64_t size_of(std::uint64_t group) const;
  /// When the group is due, from the start; 0 for all without a rate.
  std::chrono::nanoseconds due(std::uint64_t group) const;
  /// Streams of ours that an event goes to.
  std::uint64_t receivers() const { return one_each_ ? 1 : streams_.size(); }

  static std::string user(const std::string& mark, std::size_t stream) { return mark + "-" + std::to_string(stream); }

 private:
  friend class BenchSender;

  const BenchOptions options_;
  const std::string mark_;
  const std::vector<std::size_t> streams_;
  const bool one_each_;
  std::string target_;  // unless one_each_
  std::string middle_;  // between the target and the data
};

/// One sender's part of a plan. With one stream an event, every sender has streams of its own.
class BenchSender {
 public:
  /// REQUIRES: number < --senders. The plan outlives it.
  BenchSender(const BenchPlan& plan, unsigned number);

  /// The bodies of a group's requests as one: a JSON object, or with a burst one a line.
  const std::string& group(std::uint64_t group, SteadyTime intended);

 private:
  void add_message(SteadyTime intended);

  const BenchPlan& plan_;
  const unsigned number_;
  std::uint64_t random_;  // state of next_random()
  std::vector<std::size_t> mine_;
  std::vector<std::uint64_t> sequences_;  // of the streams in mine_, or one for all
  std::uint64_t sent_ = 0;
  std::string body_;
};

}  // namespace sse::ctl
