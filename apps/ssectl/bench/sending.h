#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "ssectl/bench/plan.h"

namespace sse::ctl::bench {

/// The events that Sending sent, and the server's responses.
struct Sent {
  std::uint64_t events = 0;     ///< events that the server answered
  std::uint64_t accepted = 0;   ///< of these, the accepted ones
  std::uint64_t delivered = 0;  ///< deliveries as the server counts them; --to all includes other clients' streams
  SteadyTime first{};
  double seconds = 0;
  std::string refusal;  ///< the server's text for the first refused event
  std::string failure;  ///< why sending ended early
};

/// Sends the events of a plan. Each sender has its own connection and thread.
class Sending {
 public:
  /// `plan` and `options` must outlive this object. `address` and `token` belong to the admin API.
  Sending(const Plan& plan, const Options& options, std::string address, std::string token)
      : plan_(plan), options_(options), address_(std::move(address)), token_(std::move(token)) {}

  /// Returns when everything is sent, the server is unreachable, or stop() was called.
  Sent run();
  /// Ends run() early. Thread-safe, like done().
  void stop(const std::string& why);
  std::uint64_t done() const { return events_.load(); }

 private:
  void work(unsigned number);
  bool wait_until(SteadyTime due) const;
  void count_answer(int status, std::string_view body, std::uint64_t events);

  const Plan& plan_;
  const Options& options_;
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

/// The counts in one response of the send API: accepted sends and their deliveries.
struct SendCount {
  std::uint64_t accepted = 0;
  std::uint64_t delivered = 0;
  std::string refusal;  ///< text of the first refused send
};
/// `body` is a JSON object, or for a bulk send one JSON object per line.
SendCount count_results(std::string_view body);

}  // namespace sse::ctl::bench
