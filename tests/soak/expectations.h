#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace sse::soak {

/// What clients that stay connected must receive: every event once, in the order of the sends.
class Expectations {
 public:
  explicit Expectations(std::size_t clients) : expected_(clients) {}

  void expect(std::size_t client, std::uint64_t event) { expected_.at(client).push_back(event); }
  void got(std::size_t client, std::uint64_t event);

  /// Events that have not come yet, over all clients.
  std::size_t outstanding() const;
  std::uint64_t received() const { return received_; }
  std::uint64_t late() const { return late_; }        ///< behind an event that was sent after it
  std::uint64_t doubled() const { return doubled_; }  ///< twice, or never meant for the client

 private:
  std::vector<std::deque<std::uint64_t>> expected_;
  std::uint64_t received_ = 0;
  std::uint64_t late_ = 0;
  std::uint64_t doubled_ = 0;
};

}  // namespace sse::soak
