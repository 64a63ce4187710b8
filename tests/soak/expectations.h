#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace sse::soak {

/// The events that permanently connected clients must receive: each event once, in the order of the sends.
class Expectations {
 public:
  explicit Expectations(std::size_t clients) : expected_(clients) {}

  void expect(std::size_t client, std::uint64_t event) { expected_.at(client).push_back(event); }
  void on_received(std::size_t client, std::uint64_t event);

  /// Number of events that have not arrived yet, over all clients.
  std::size_t outstanding() const;
  std::uint64_t received() const { return received_; }
  std::uint64_t late() const { return late_; }              ///< arrived after an event that was sent later
  std::uint64_t duplicates() const { return duplicates_; }  ///< received twice, or not addressed to the client

 private:
  std::vector<std::deque<std::uint64_t>> expected_;
  std::uint64_t received_ = 0;
  std::uint64_t late_ = 0;
  std::uint64_t duplicates_ = 0;
};

}  // namespace sse::soak
