#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/manual_clock.h"
#include "delivery/sender.h"
#include "store/memory/memory_repository.h"
#include "support/page.h"

namespace sse::testing {

/// A Sender of the service `hr` with two loops and its messages in memory. Time stands still unless a function here
/// says otherwise.
class SenderTest : public ::testing::Test {
 protected:
  SenderTest() {
    options_.hub.service = ServiceName("hr");
    options_.hub.heartbeat = std::chrono::milliseconds(200);
    options_.hub.ack_timeout = std::chrono::milliseconds(0);
  }
  ~SenderTest() override {
    sender_->stop();
    for (const auto& loop : loops_) loop->stop();
    sender_.reset();
  }
  /// To be called once, with `options_` set.
  void start() { start(repository_); }
  void start(store::MessageRepository& repository) {
    for (int i = 0; i < 2; ++i) loops_.push_back(std::make_unique<net::EventLoop>("loop-" + std::to_string(i), clock_));
    sender_ = std::make_unique<delivery::Sender>(options_, loops_, ids_, metrics_, repository);
    for (const auto& loop : loops_) loop->start();
  }
  /// Waits for a condition; time goes on meanwhile.
  bool eventually(const std::function<bool()>& condition) {
    return clock_.advance_until(std::chrono::milliseconds(1), condition, kSocketTimeout);
  }
  /// Every loop has been through what was due before the call.
  void settle() {
    // A turn runs its tasks before its timers: the second task comes after the first one's turn.
    for (int i = 0; i < 2; ++i) sender_->hub().directory().visit({}, [](hub::Shard&, std::size_t) {});
  }
  /// The server has noticed the end of the stream. Time goes on meanwhile.
  void close(Page& page) {
    page.client.close();
    ASSERT_TRUE(eventually([&] { return !sender_->hub().directory().describe(page.id); }));
  }
  double metric(const std::string& name) { return metrics_.snapshot()[name + "{service=\"hr\"}"]; }

  delivery::SenderOptions options_;
  ManualClock clock_;
  IdGenerator ids_{1, 0, clock_};
  observe::Registry metrics_;
  store::MemoryRepository repository_{ids_};
  std::vector<std::unique_ptr<net::EventLoop>> loops_;
  std::unique_ptr<delivery::Sender> sender_;
};

}  // namespace sse::testing
