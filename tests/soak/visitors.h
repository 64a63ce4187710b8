#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "soak/tokens.h"
#include "support/client.h"
#include "support/socket.h"
#include "support/streams.h"

namespace sse::soak {

/// Clients that connect and disconnect in every possible way, and connections that never become a stream.
class Visitors {
 public:
  /// `pages`: the endpoints of all nodes; streams use them in turn, page requests use the first. The references must
  /// outlive this object.
  Visitors(std::vector<testing::Endpoint> pages, testing::HttpClient& admin, const Tokens& tokens,
           std::mt19937& random);

  /// Performs one random action.
  void act();
  /// Reads the events that have arrived.
  void run();
  /// Ends all streams, after each was opened or refused.
  void clear();

  std::uint64_t opened() const { return opened_ - (streams_ ? streams_->refused() : 0); }
  std::uint64_t vanished() const { return vanished_; }
  std::size_t slow() const { return slow_.size(); }

 private:
  void open();
  void close_one();
  void vanish(testing::ClientStream& stream);
  void page_request();
  void open_slow();
  void misbehave();

  const testing::Endpoint& some_node() { return pages_[random_() % pages_.size()]; }

  const std::vector<testing::Endpoint> pages_;
  testing::HttpClient& admin_;
  testing::HttpClient page_;
  const Tokens& tokens_;
  std::mt19937& random_;
  std::unique_ptr<testing::Streams> streams_;
  std::vector<std::pair<std::size_t, std::string>> open_;  // number, credentials
  std::string last_id_;                                    // last event id of a stream when it ended
  std::deque<UniqueFd> slow_;                              // streams that read nothing
  std::deque<UniqueFd> halves_;                            // connections with an incomplete request
  std::uint64_t opened_ = 0;
  std::uint64_t vanished_ = 0;
};

}  // namespace sse::soak
