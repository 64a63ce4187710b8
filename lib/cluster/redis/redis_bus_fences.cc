#include <algorithm>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "cluster/core/topics.h"
#include "cluster/redis/redis_bus.h"
#include "observe/barrier.h"

// The part of RedisBus that finds out which replies will not arrive any more.
namespace sse::cluster {
namespace {

// How long a vanished node is named while its subscriptions remain.
constexpr std::chrono::hours kRemembered{1};
constexpr std::chrono::seconds kFenceKept{10};

std::string id_in(const std::string& bus_name) {
  return bus_name.substr(0, bus_name.rfind('~'));
}

}  // namespace

class RedisBus::Unanswered {
 public:
  Unanswered() = default;
  Unanswered(const Unanswered&) = delete;
  Unanswered& operator=(const Unanswered&) = delete;
  // Ends the following groups in a loop, so that a long chain of them needs no deep stack.
  ~Unanswered() {
    std::shared_ptr<Unanswered> next = end();
    while (next && next.use_count() == 1) next = next->end();
  }
  /// To be called once, before the caller releases its reference; `next` is the group after the fence.
  void close(std::function<void()> pass, std::shared_ptr<Unanswered> next) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    pass_ = std::move(pass);
    next_ = std::move(next);
  }

 private:
  std::shared_ptr<Unanswered> end() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (const auto pass = std::exchange(pass_, nullptr)) observe::guarded("a fence of another node", pass);
    return std::move(next_);
  }

  Mutex mutex_;
  std::function<void()> pass_ GUARDED_BY(mutex_);
  std::shared_ptr<Unanswered> next_ GUARDED_BY(mutex_);
};

void RedisBus::set_live_nodes(const std::vector<LiveNode>& nodes) {
  const SteadyTime now = options_.link.clock->steady_now();
  std::vector<std::pair<std::string, std::string>> absent;
  {
    const MutexLock lock(fences_mutex_);
    for (auto& [id, topic] : live_nodes_) absent_.try_emplace(id, Absent{topic, now});
    live_nodes_.clear();
    for (const LiveNode& node : nodes) {
      live_nodes_[node.id] = node.topic;
      absent_.erase(node.id);
    }
    std::erase_if(absent_, [&](const auto& one) { return now - one.second.since > kRemembered; });
    // Callers have timed out long ago.
    std::erase_if(fences_, [&](const auto& one) { return now - one.second.sent > kFenceKept; });
    std::vector<std::uint64_t> passed;
    for (const auto& [token, fence] : fences_) {
      if (passed_by_all(fence)) passed.push_back(token);
    }
    for (const std::uint64_t token : passed) give_up_behind(token);
    for (const auto& [id, one] : absent_) absent.emplace_back(id, one.topic);
  }
  tracker_.run_ready();
  publish_fence(broadcast_topic(), 0, [this](std::size_t subscribed) {
    const MutexLock lock(fences_mutex_);
    surplus_.store(subscribed > live_nodes_.size());
  });
  // A node that has left has no subscriptions any more.
  for (const auto& [id, topic] : absent) {
    publish_fence(topic, 0, [this, id = id](std::size_t subscribed) {
      const MutexLock lock(fences_mutex_);
      if (subscribed == 0) absent_.erase(id);
    });
  }
}

void RedisBus::publish_fence(const std::string& topic, std::uint64_t token,
                             std::function<void(std::size_t)> subscribed) {
  std::string publish;
  append_publish(publish, {options_.prefix, kTopicPrefix, topic}, {frame_begin_, fence_head(token)});
  commands_->call_all(publish, 1, [subscribed = std::move(subscribed)](const std::vector<RedisReply>& replies) {
    const RedisReply& reply = replies.front();
    if (subscribed && !reply.is_error()) subscribed(static_cast<std::size_t>(std::max<std::int64_t>(reply.integer, 0)));
  });
}

void RedisBus::raise_fence(std::uint64_t first, std::size_t count) {
  std::uint64_t token = 0;
  {
    const MutexLock lock(fences_mutex_);
    token = ++last_fence_;
    fences_.emplace(token, Fence{first, count, options_.link.clock->steady_now(), {}});
  }
  publish_fence(broadcast_topic(), token, nullptr);
}

bool RedisBus::passed_by_all(const Fence& fence) const {
  return std::ranges::all_of(live_nodes_, [&](const auto& node) { return fence.passed.contains(node.first); });
}

void RedisBus::give_up_behind(std::uint64_t token) {
  const auto found = fences_.find(token);
  std::vector<std::string> names;
  for (const auto& [id, one] : absent_) names.push_back(id);
  if (names.empty()) names.emplace_back("(a node that is gone or frozen)");
  tracker_.give_up(found->second.first, found->second.count, names);
  fences_.erase(found);
}

void RedisBus::pass_fence(const std::string& node, std::string_view token) {
  const std::optional<std::uint64_t> number = whole_number(token);
  if (!number) return;
  const MutexLock lock(fences_mutex_);
  const auto found = fences_.find(*number);
  if (found == fences_.end()) return;
  found->second.passed.insert(id_in(node));
  if (passed_by_all(found->second)) give_up_behind(*number);
}

std::shared_ptr<RedisBus::Unanswered>& RedisBus::unanswered_of(const std::string& node) {
  std::shared_ptr<Unanswered>& current = unanswered_[node];
  if (!current) current = std::make_shared<Unanswered>();
  return current;
}

void RedisBus::answer_fence(const std::string& node, std::uint64_t token) {
  std::shared_ptr<Unanswered> next = std::make_shared<Unanswered>();
  const std::shared_ptr<Unanswered> before = std::exchange(unanswered_of(node), next);
  before->close(
      [link = commands_, channel = answer_channel(node), message = frame_begin_ + '\n', token] {
        std::string passed = message;
        append_reply(passed, 0, std::to_string(token));
        std::string publish;
        append_publish(publish, {channel}, {passed});
        link->call_all(publish, 1, nullptr);
      },
      std::move(next));
}

}  // namespace sse::cluster
