// Sends events through a hub to streams that are not read, a fixed number of them, so that callgrind can count the
// instructions of a delivery: what N events take more than half of them does not depend on other load on the machine.
#include <sys/socket.h>

#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/units.h"
#include "hub/hub.h"

namespace {

using namespace sse;  // NOLINT(google-build-using-namespace): a program of its own
using event::Target;
using event::TargetKind;

// More than SliceLimits::direct_members. What a socket buffer takes limits the events.
constexpr std::size_t kStreams = 200;
constexpr std::size_t kMaxEvents = 100;

struct NullDelegate final : hub::HubDelegate {
  bool request_replay(const hub::ReplayRequest&) override { return false; }
  void acknowledged(TargetKind, std::string_view, MessageId, ConnectionId) override {}
};

class Replay {
 public:
  Replay() {
    hub::HubOptions options;
    options.service = ServiceName("bench");
    options.heartbeat = std::chrono::milliseconds(0);
    // Callgrind makes time pass faster than the program runs: slices would become shorter.
    options.slice.time = std::chrono::hours(1);
    loops_.push_back(std::make_unique<net::EventLoop>("loop"));
    hub_ = std::make_unique<hub::Hub>(options, loops_, ids_, metrics_, delegate_);
    loops_.front()->start();
    for (std::size_t i = 0; i < kStreams; ++i) open(std::to_string(i));
  }
  ~Replay() {
    loops_.front()->stop();
    hub_.reset();
  }
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  // An event to all streams, a call each.
  void broadcast(std::size_t events) {
    for (std::size_t i = 0; i < events; ++i) count(hub_->deliver(Target::all(), "news", frame()));
  }
  // Events to all streams in one call.
  void bulk(std::size_t events) {
    const Target all = Target::all();
    std::vector<hub::Delivery> deliveries;
    for (std::size_t i = 0; i < events; ++i) deliveries.push_back({all, "news", frame()});
    for (const auto& taken : hub_->deliver(std::move(deliveries))) count(taken);
  }
  // To each stream as many events, a call each.
  void unicast(std::size_t events) {
    for (std::size_t i = 0; i < events; ++i) {
      for (std::size_t user = 0; user < kStreams; ++user)
        count(hub_->deliver({TargetKind::kUser, {std::to_string(user)}}, "news", frame()));
    }
  }
  std::size_t deliveries() const { return deliveries_; }

 private:
  void open(const std::string& user) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
      throw std::system_error(errno, std::generic_category(), "socketpair");
    clients_.emplace_back(ends[1]);
    hub::NewConnection fresh;
    fresh.identity = {UserId(user), TenantId(), {}};
    fresh.socket = net::Socket(UniqueFd(ends[0]));
    fresh.response_head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    fresh.chunked = true;
    hub_->connect(std::move(fresh));
  }
  static event::FrameRef frame() { return event::Frame::make("event:news\ndata:" + std::string(100, 'x') + "\n\n"); }
  void count(const std::vector<std::uint32_t>& taken) {
    for (const std::uint32_t streams : taken) deliveries_ += streams;
  }

  IdGenerator ids_{1};
  observe::Registry metrics_;
  NullDelegate delegate_;
  std::vector<std::unique_ptr<net::EventLoop>> loops_;
  std::unique_ptr<hub::Hub> hub_;
  std::vector<UniqueFd> clients_;
  std::size_t deliveries_ = 0;
};

}  // namespace

// usage: replay broadcast|bulk|unicast EVENTS
int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  std::size_t events = 0;
  if (words.size() == 2) std::from_chars(words[1].data(), words[1].data() + words[1].size(), events);
  const bool known = words.size() == 2 && (words[0] == "broadcast" || words[0] == "bulk" || words[0] == "unicast");
  if (!known || events == 0 || events > kMaxEvents) {
    std::fprintf(stderr, "usage: replay broadcast|bulk|unicast EVENTS (1 to %zu)\n", kMaxEvents);
    return 2;
  }
  try {
    Replay replay;
    if (words[0] == "broadcast") replay.broadcast(events);
    if (words[0] == "bulk") replay.bulk(events);
    if (words[0] == "unicast") replay.unicast(events);
    if (replay.deliveries() != events * kStreams) {
      std::fprintf(stderr, "replay: %zu of %zu deliveries were taken\n", replay.deliveries(), events * kStreams);
      return 1;
    }
    std::printf("%zu deliveries\n", replay.deliveries());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "replay: %s\n", e.what());
    return 1;
  }
  return 0;
}
