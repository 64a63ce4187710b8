#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "support/client.h"
#include "support/socket.h"

namespace sse::testing {

/// Confirms messages for clients with `ack=1` as over a poor network: of ten confirmations one is lost, one late and
/// one sent twice. An unconfirmed message is redelivered and confirmed with the same probabilities. Not thread safe.
class Confirmations {
 public:
  Confirmations(Endpoint pages, unsigned seed) : client_(std::move(pages)), random_(seed) {}

  /// Reports that a stream has received the message. `credentials`: the query parameters that identify its user.
  void received(const std::string& connection, const std::string& credentials, const std::string& message) {
    switch (random_() % 10) {
      case 0:
        ++lost_;
        return;
      case 1:
        late_.push_back(
            {Clock::now() + std::chrono::milliseconds(random_() % 400), {connection, credentials}, message});
        return;
      case 2:
        due_[{connection, credentials}].push_back(message);
        [[fallthrough]];
      default:
        due_[{connection, credentials}].push_back(message);
    }
  }

  /// Posts the confirmations that are due, every 20 ms at most; returns at once when the server is down.
  void send() {
    const Clock::time_point now = Clock::now();
    if (now < next_) return;
    next_ = now + std::chrono::milliseconds(20);
    std::erase_if(late_, [&](const Late& late) {
      if (late.due > now) return false;
      due_[late.stream].push_back(late.message);
      return true;
    });
    for (const auto& [stream, messages] : due_) {
      const HttpResponse answer = client_.request("POST", "/my-sse/connect/ack.do?" + stream.second,
                                                  Json{{"connectionId", stream.first}, {"ids", messages}}.dump());
      if (answer.status == 0) break;
      if (answer.status != 200) ++refused_;
    }
    due_.clear();
  }

  std::size_t lost() const { return lost_; }
  std::size_t refused() const { return refused_; }  ///< answered with a status other than 200

 private:
  using Clock = std::chrono::steady_clock;
  using Stream = std::pair<std::string, std::string>;  // connection, credentials
  struct Late {
    Clock::time_point due;
    Stream stream;
    std::string message;
  };

  HttpClient client_;
  std::mt19937 random_;
  std::map<Stream, std::vector<std::string>> due_;
  std::vector<Late> late_;
  Clock::time_point next_{};
  std::size_t lost_ = 0;
  std::size_t refused_ = 0;
};

}  // namespace sse::testing
