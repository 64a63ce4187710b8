// Matching a target, and adding and removing a stream in the indexes, among many other streams.
#include <benchmark/benchmark.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <vector>

#include "base/descriptors.h"
#include "event/target.h"
#include "hub/connection.h"
#include "hub/index.h"
#include "net/event_loop.h"

namespace sse::hub {
namespace {

using event::TargetKind;

class NoOwner final : public net::StreamOwner {
  void stream_dirty(net::Stream&) override {}
  void stream_closed(net::Stream&, net::CloseReason) override {}
  void stream_acknowledged(net::Stream&, MessageId, event::TargetKind) override {}
  void stream_unacknowledged(net::Stream&) override {}
  void stream_drained(net::Stream&) override {}
};

// One stream per user, each in one of 100 channels.
class Crowd {
 public:
  explicit Crowd(std::size_t size) {
    raise_descriptor_limit();
    for (std::size_t i = 0; i < size; ++i) {
      connections_.push_back(make());
      join(*connections_.back(), i);
    }
  }
  ~Crowd() {
    for (const auto& connection : connections_) indexes_.leave_all(*connection);
  }

  std::unique_ptr<Connection> make() {
    return std::make_unique<Connection>(ConnectionId(++last_id_), host_, UniqueFd(::socket(AF_UNIX, SOCK_STREAM, 0)));
  }
  void join(Connection& connection, std::size_t number) {
    indexes_.join(connection, TargetKind::kUser, "user" + std::to_string(number));
    indexes_.join(connection, TargetKind::kChannel, "channel" + std::to_string(number % 100));
    indexes_.join(connection, TargetKind::kAll, "");
  }
  Indexes& indexes() { return indexes_; }

 private:
  net::EventLoop loop_{"bench"};
  NoOwner owner_;
  net::Stream::Limits limits_;
  const net::Stream::Host host_{loop_, owner_, limits_};
  std::uint64_t last_id_ = 0;
  Indexes indexes_;
  std::vector<std::unique_ptr<Connection>> connections_;
};

std::vector<std::string> names(const char* prefix, std::size_t size) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < size; ++i) names.push_back(prefix + std::to_string(i * 7919 % size));
  return names;
}

void find_a_user(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  Crowd crowd(size);
  const std::vector<std::string> users = names("user", size);
  std::size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(crowd.indexes().find(TargetKind::kUser, users[i++ % size]));
}
BENCHMARK(find_a_user)->ArgName("streams")->Arg(100)->Arg(10'000);

void find_none(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  Crowd crowd(size);
  const std::vector<std::string> strangers = names("stranger", size);
  std::size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(crowd.indexes().find(TargetKind::kUser, strangers[i++ % size]));
}
BENCHMARK(find_none)->ArgName("streams")->Arg(10'000);

void visit_a_channel(benchmark::State& state) {
  Crowd crowd(static_cast<std::size_t>(state.range(0)));
  std::size_t members = 0;
  for (auto _ : state) {
    const Group* group = crowd.indexes().find(TargetKind::kChannel, "channel7");
    for (const Connection* member : group->members()) benchmark::DoNotOptimize(member->id);
    members += group->members().size();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(members));
}
BENCHMARK(visit_a_channel)->ArgName("streams")->Arg(10'000);

void come_and_go(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  Crowd crowd(size);
  const std::unique_ptr<Connection> visitor = crowd.make();
  for (auto _ : state) {
    crowd.join(*visitor, size);
    crowd.indexes().leave_all(*visitor);
  }
}
BENCHMARK(come_and_go)->ArgName("streams")->Arg(100)->Arg(10'000);

void normalize_a_target(benchmark::State& state) {
  const std::vector<std::string> users = names("user", static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    event::Target target{TargetKind::kUser, users, false};
    event::normalize(target);
    benchmark::DoNotOptimize(target);
  }
}
BENCHMARK(normalize_a_target)->ArgName("users")->Arg(1)->Arg(10'000);

void is_listening(benchmark::State& state) {
  ListenerSets sets;
  const ListenerSet* set = sets.intern({"chat-message", "order-changed", "server-push"});
  const std::string_view event = "server-push";
  for (auto _ : state) benchmark::DoNotOptimize(set->contains(event));
  sets.release(set);
}
BENCHMARK(is_listening);

}  // namespace
}  // namespace sse::hub
