// What streams, sends and presence cost five nodes and their Redis: the constants of sse-server-cluster(7).
#include <memory>
#include <thread>

#include "base/error.h"
#include "redis.h"
#include "sections.h"
#include "ssectl/load/mark.h"

namespace sse::bench {
namespace {

constexpr std::size_t kNodes = 5;
constexpr std::size_t kMaxEach = 4000;
constexpr std::size_t kMembers = 150;
constexpr int kToAll = 30;
constexpr std::chrono::seconds kTimeout{60};

// Every stream is in one channel, and the first of each node watches it.
class InRoom final : public SseServe {
 public:
  InRoom(const Settings& settings, const Redis& redis, std::size_t number, std::size_t each)
      : SseServe(settings, "node " + std::to_string(number), redis.node_options(number), "&channel=room"),
        each_(each) {}
  std::string request(std::size_t stream) const override {
    std::string text = SseServe::request(stream);
    if (watched && stream % each_ == 0) text.insert(text.find(" HTTP/"), "&presence=room");
    return text;
  }

  bool watched = false;

 private:
  const std::size_t each_;
};

class Cost {
 public:
  Cost(const Settings& settings, Table& table)
      : settings_(settings), table_(table), each_(std::min(settings.idle, kMaxEach)) {
    for (std::size_t n = 0; n < kNodes; ++n) nodes_.push_back(std::make_unique<InRoom>(settings, redis_, n, each_));
    for (std::size_t n = 0; n < kNodes; ++n)
      clients_.push_back(std::make_unique<Clients>(*nodes_[n], each_, n * each_));
  }

  void measure_all() {
    measure_idle();
    const double memory = node_memory();
    RedisUse before = redis_.use();
    open_all();
    RedisUse after = settled();
    const auto streams = static_cast<double>(kNodes * each_);
    add_cost("a stream that opens", before, after, streams);
    add("a stream: memory of Redis", "bytes", (after.memory_bytes - before.memory_bytes) / streams);
    add("a stream: memory of its node", "bytes", (node_memory() - memory) / streams);
    measure_sends("a send to a user of another node", false);
    measure_sends("a send with qos to a user of another node", true);
    before = redis_.use();
    const std::uint64_t expected = events() + kNodes * each_ * kToAll;
    for (int i = 0; i < kToAll; ++i) nodes_[0]->broadcast(1, settings_.size);
    wait([&] { return events() >= expected; }, "the events to all");
    add_cost("a send to all streams", before, settled(), kToAll);
    close_all();
    measure_presence();
  }

 private:
  template <class Done>
  static void wait(Done done, const char* what) {
    const SteadyTime deadline = steady_now() + kTimeout;
    while (!done()) {
      if (steady_now() > deadline) throw Error(ErrorCode::kTimeout, std::string("waited in vain for ") + what);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  void add(const std::string& what, const char* unit, double value) {
    table_.add({"k", "5 nodes, " + what, unit, value, 0, "", std::nullopt});
  }
  // Without what the idle nodes cost meanwhile.
  void add_cost(const std::string& what, const RedisUse& before, const RedisUse& after, double count) {
    const auto each = [&](double RedisUse::*figure) {
      return (after.*figure - before.*figure - seconds_between(before, after) * idle_.*figure) / count;
    };
    add(what + ": commands of Redis", "each", each(&RedisUse::commands));
    add(what + ": CPU of Redis", "\u00b5s", each(&RedisUse::cpu_seconds) * 1e6);
    add(what + ": through Redis", "bytes", each(&RedisUse::bytes));
  }
  static double seconds_between(const RedisUse& before, const RedisUse& after) {
    return std::chrono::duration<double>(after.at - before.at).count();
  }
  double total(const std::string& name) const {
    double sum = 0;
    for (const auto& node : nodes_) sum += node->status(name);
    return sum;
  }
  double node_memory() const {
    double sum = 0;
    for (const auto& node : nodes_) sum += node->process().memory_bytes();
    return sum;
  }
  std::uint64_t events() const {
    std::uint64_t sum = 0;
    for (const auto& one : clients_) sum += one->events();
    return sum;
  }
  void open_all() {
    for (auto& one : clients_) one->start_opening(each_);
    for (auto& one : clients_) one->finish_opening();
  }
  void close_all() {
    clients_.clear();
    wait([&] { return total("connections") == 0; }, "the streams to end");
  }

  // When Redis has hardly more to do than without streams for a second: the nodes subscribe, read pending messages and
  // tell each other of changes behind what they answer.
  RedisUse settled() const {
    const SteadyTime deadline = steady_now() + kTimeout;
    RedisUse last = redis_.use();
    for (;;) {
      std::this_thread::sleep_for(std::chrono::seconds(1));
      const RedisUse now = redis_.use();
      if (now.commands - last.commands < 1.5 * idle_.commands + 20) return now;
      if (steady_now() > deadline) throw Error(ErrorCode::kTimeout, "Redis does not come to rest");
      last = now;
    }
  }

  void measure_idle() {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    const RedisUse before = redis_.use();
    std::this_thread::sleep_for(std::chrono::seconds(settings_.quick ? 1 : 10));
    const RedisUse after = redis_.use();
    const double seconds = seconds_between(before, after);
    idle_.commands = (after.commands - before.commands) / seconds;
    idle_.bytes = (after.bytes - before.bytes) / seconds;
    idle_.cpu_seconds = (after.cpu_seconds - before.cpu_seconds) / seconds;
    add("each without streams: commands of Redis", "each s", idle_.commands / kNodes);
    add("each without streams: CPU of Redis", "\u00b5s each s", idle_.cpu_seconds * 1e6 / kNodes);
  }

  void measure_sends(const std::string& what, bool qos) {
    const std::size_t sends = settings_.quick ? 100 : 2000;
    load::Poster poster(nodes_[0]->admin(), "/api/v1/send", "application/json");
    const RedisUse before = redis_.use();
    const std::uint64_t expected = events() + sends;
    for (std::size_t i = 0; i < sends; ++i) {
      const std::size_t user = each_ + i * 7919 % ((kNodes - 1) * each_);
      SseServe::require_accepted(
          poster.post(SseServe::message(R"("users":["u)" + std::to_string(user) + R"("])",
                                        load::payload({steady_now(), 0, i}, settings_.size), qos)));
    }
    wait([&] { return events() >= expected && (!qos || nodes_[0]->status("pending") == 0); }, "the events");
    add_cost(what, before, settled(), static_cast<double>(sends));
  }

  // Streams that join a channel which a stream at each node watches.
  void measure_presence() {
    for (std::size_t n = 0; n < kNodes; ++n) {
      nodes_[n]->watched = true;
      clients_.push_back(std::make_unique<Clients>(*nodes_[n], each_, n * each_));
    }
    for (auto& one : clients_) one->open(1);
    const RedisUse before = settled();
    // More members than --presence-max are only counted.
    const std::size_t members = std::min(each_, kMembers);
    for (auto& one : clients_) one->start_opening(members);
    for (auto& one : clients_) one->finish_opening();
    const RedisUse after = settled();
    add_cost("a stream that opens in a watched channel", before, after, static_cast<double>(kNodes * (members - 1)));
    close_all();
  }

  const Settings& settings_;
  Table& table_;
  const std::size_t each_;
  Redis redis_;
  std::vector<std::unique_ptr<InRoom>> nodes_;
  std::vector<std::unique_ptr<Clients>> clients_;
  RedisUse idle_;  ///< each second
};

}  // namespace

void cluster_cost(const Settings& settings, Table& table) {
  Cost(settings, table).measure_all();
}

}  // namespace sse::bench
