#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/manual_clock.h"
#include "base/mutex.h"
#include "base/step_count.h"
#include "hub/hub.h"
#include "hub/observer.h"
#include "support/page.h"

namespace sse::hub {

using event::Target;
using event::TargetKind;
using std::chrono::milliseconds;
using testing::Page;
using testing::PageOptions;

inline constexpr const char* kHead = "HTTP/1.1 200 OK\r\n\r\n";

inline event::FrameRef frame(const std::string& data, std::uint64_t message = 0, TargetKind kind = TargetKind::kUser,
                             std::string_view channel = {}) {
  return event::Frame::make("data:" + data + "\n\n", MessageId(message), kind, channel);
}

inline std::size_t times(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

// What happened to connections, in a word and the reason.
class Watcher final : public Observer {
 public:
  void connected(const ServiceName&, ConnectionInfo connection) override { note("connected", connection); }
  void disconnected(const ServiceName&, ConnectionInfo connection, net::CloseReason reason, std::string) override {
    note(std::string(net::reason_name(reason)), connection);
  }
  void listening_changed(const ServiceName&, ConnectionInfo, std::vector<std::string>, bool) override {}

  std::vector<std::string> story() {
    const MutexLock lock(mutex_);
    return story_;
  }

 private:
  void note(const std::string& what, const ConnectionInfo& connection) {
    const MutexLock lock(mutex_);
    story_.push_back(what + " " + connection.identity.user.str());
  }

  Mutex mutex_;
  std::vector<std::string> story_ GUARDED_BY(mutex_);
};

class Delegate final : public HubDelegate {
 public:
  void left(const Names& names) override {
    const MutexLock lock(mutex_);
    ++left_;
    for (const auto& [kind, name] : names) names_left_.push_back(std::string(event::kind_name(kind)) + " " + name);
  }
  int left() const { return left_; }
  /// Kinds and names, in their order.
  std::vector<std::string> names_left() {
    const MutexLock lock(mutex_);
    return names_left_;
  }
  bool request_replay(const ReplayRequest& request) override {
    const MutexLock lock(mutex_);
    requests_.push_back(request);
    return answers_;
  }
  void acknowledged(TargetKind kind, std::string_view name, MessageId message, ConnectionId) override {
    const MutexLock lock(mutex_);
    acknowledged_.emplace_back(kind, std::string(name), message.value());
  }

  void acknowledged_before(TargetKind kind, std::string_view name, MessageId message) override {
    const MutexLock lock(mutex_);
    acknowledged_before_.emplace_back(kind, std::string(name), message.value());
  }

  /// True: replays are answered by the test.
  void answer(bool on) {
    const MutexLock lock(mutex_);
    answers_ = on;
  }
  std::vector<ReplayRequest> requests() {
    const MutexLock lock(mutex_);
    return requests_;
  }
  std::vector<std::tuple<TargetKind, std::string, std::uint64_t>> acknowledgements() {
    const MutexLock lock(mutex_);
    return acknowledged_;
  }
  std::vector<std::tuple<TargetKind, std::string, std::uint64_t>> acknowledgements_before() {
    const MutexLock lock(mutex_);
    return acknowledged_before_;
  }

 private:
  std::atomic<int> left_{0};
  Mutex mutex_;
  std::vector<std::string> names_left_ GUARDED_BY(mutex_);
  bool answers_ GUARDED_BY(mutex_) = false;
  std::vector<ReplayRequest> requests_ GUARDED_BY(mutex_);
  std::vector<std::tuple<TargetKind, std::string, std::uint64_t>> acknowledged_ GUARDED_BY(mutex_);
  std::vector<std::tuple<TargetKind, std::string, std::uint64_t>> acknowledged_before_ GUARDED_BY(mutex_);
};

class HubTest : public ::testing::Test {
 protected:
  HubTest() {
    options_.service = ServiceName("hr");
    options_.heartbeat = milliseconds(0);
  }
  ~HubTest() override {
    for (const auto& loop : loops_) loop->stop();
    hub_.reset();
  }

  void start(std::size_t loops = 3) {
    create(loops);
    for (const auto& loop : loops_) loop->start();
  }
  // The loops do not run yet.
  void create(std::size_t loops) {
    for (std::size_t i = 0; i < loops; ++i)
      loops_.push_back(std::make_unique<net::EventLoop>("loop-" + std::to_string(i), clock_));
    hub_ = std::make_unique<Hub>(options_, loops_, ids_, metrics_, delegate_);
  }

  // Connects and waits until connect-finish has arrived.
  Page open(PageOptions options) {
    options.head = kHead;
    options.confirms = options.confirms || options.marks;
    Page page = testing::open_page(*hub_, options);
    page.client.follow(clock_);
    return page;
  }
  // Every loop has been through what was due before the call.
  void settle() {
    // A turn runs its tasks before its timers: the second task comes after the first one's turn.
    for (int i = 0; i < 2; ++i) hub_->directory().visit({}, [](Shard&, std::size_t) {});
  }
  // Waits for a condition; time goes on meanwhile, and stands still otherwise.
  bool eventually(const std::function<bool()>& condition) {
    return clock_.advance_until(milliseconds(1), condition, testing::kSocketTimeout);
  }
  Page open_user(const std::string& user) { return open({.user = user}); }

  // Steps that all loops have counted, see base/step_count.h.
  std::uint64_t steps() {
    std::atomic<std::uint64_t> sum{0};
    hub_->directory().visit({}, [&](Shard&, std::size_t) { sum += steps_counted(); });
    return sum;
  }

  std::vector<std::uint32_t> deliver(TargetKind kind, std::vector<std::string> names, const std::string& data,
                                     bool listening = false) {
    return hub_->deliver({kind, std::move(names), listening}, "news", frame(data));
  }
  double closed_for(const std::string& reason) {
    return metrics_.snapshot()["sse_streams_closed_total{reason=\"" + reason + "\",service=\"hr\"}"];
  }

  HubOptions options_;
  ManualClock clock_;
  IdGenerator ids_{1, 0, clock_};
  observe::Registry metrics_;
  Delegate delegate_;
  std::vector<std::unique_ptr<net::EventLoop>> loops_;
  std::unique_ptr<Hub> hub_;
};

}  // namespace sse::hub
