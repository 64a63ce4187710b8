#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "bench_plan.h"

namespace sse::ctl {

struct BenchSent {
  std::uint64_t events = 0;     ///< answered
  std::uint64_t accepted = 0;   ///< of these, not refused
  std::uint64_t delivered = 0;  ///< as the server counted; with --to all to the streams of others, too
  SteadyTime first{};
  double seconds = 0;
  std::string refusal;  ///< the first one, in the server's words
  std::string failure;  ///< why sending ended early
};

/// Sends the events of a plan, every sender over a connection and a thread of its own.
class BenchSending {
 public:
  /// The plan outlives it. `address` and `token` of the admin API.
  BenchSending(const BenchPlan& plan, const BenchOptions& options, std::string address, std::string token)
      : plan_(plan), options_(options), address_(std::move(address)), token_(std::move(token)) {}

  /// Returns when everything is sent, the server is gone, or stop() was called.
  BenchSent run();
  /// Thread safe, as is done().
  void stop(const std::string& why);
  std::uint64_t done() const { return events_.load(); }

 private:
  void work(unsigned number);
  bool wait_until(SteadyTime due) const;
  void count_answer(int status, std::string_view body, std::uint64_t events);

  const BenchPlan& plan_;
  const BenchOptions& options_;
  const std::string address_, token_;
  SteadyTime start_{};
  std::atomic<std::uint64_t> events_{0};
  std::atomic<std::uint64_t> accepted_{0};
  std::atomic<std::uint64_t> delivered_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::string refusal_;
  std::string failure_;
};

/// What one answer of the send API says: how many of its results are no refusals, and their deliveries.
struct SendCount {
  std::uint64_t accepted = 0;
  std::uint64_t delivered = 0;
  std::string refusal;  ///< the first
};
/// `body` has an object, or a line with one for each of several sends.
SendCount count_results(std::string_view body);

}  // namespace sse::ctl
