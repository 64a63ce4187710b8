#include "cluster/redis/redis_bus.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "observe/barrier.h"

namespace sse::cluster {
namespace {

constexpr std::size_t kTopicsInOneCommand = 500;
// Initial backoff after a refused subscription; doubled each time.
constexpr std::chrono::milliseconds kRetryFirst{1000};
constexpr std::chrono::milliseconds kRetryLast{30'000};

RedisLinkOptions named(RedisLinkOptions options, const char* name) {
  options.name = name;
  return options;
}

}  // namespace

RedisBus::RedisBus(Options options)
    : options_(std::move(options)),
      frame_begin_(frame_begin(options_.node)),
      tracker_(*options_.link.clock),
      commands_(std::make_shared<RedisLink>(named(options_.link, "sse-bus-out"), RedisLink::Mode::kCommands, nullptr)),
      subscriber_(named(options_.link, "sse-bus-in"), RedisLink::Mode::kSubscriber, this) {}

void RedisBus::start(Receiver& receiver) {
  receiver_ = &receiver;
  started_ = true;
  commands_->start();
  subscriber_.start();
}

void RedisBus::stop() {
  if (!started_) return;
  subscriber_.stop();
  commands_->stop();
  tracker_.stop();
  started_ = false;
}

void RedisBus::require_up(std::chrono::milliseconds timeout) {
  const SteadyTime deadline = options_.link.clock->steady_now() + timeout;
  commands_->require_up(timeout);
  subscriber_.require_up(std::chrono::ceil<std::chrono::milliseconds>(deadline - options_.link.clock->steady_now()));
}

std::string RedisBus::why_down() const {
  std::string why = subscriber_.up() ? commands_->why_down() : subscriber_.why_down();
  if (commands_->up() && subscriber_.up()) {
    const MutexLock lock(mutex_);
    return refusal_;
  }
  return "cannot use Redis at " + options_.link.address.str() + ": " + (why.empty() ? "it has just reconnected" : why);
}

std::string RedisBus::topic_channel(const std::string& topic) const {
  return std::string(options_.prefix).append(kTopicPrefix).append(topic);
}

void RedisBus::say_subscribed(const std::string& verb, const std::vector<std::string>& topics) {
  std::vector<RedisCommand> commands;
  for (std::size_t i = 0; i < topics.size(); ++i) {
    if (i % kTopicsInOneCommand == 0) commands.push_back({verb});
    commands.back().push_back(topic_channel(topics[i]));
  }
  subscriber_.write(commands);
}

// Redis replies in order: the reply to a PING confirms every SUBSCRIBE before it.
void RedisBus::subscribe(const std::vector<std::string>& topics, std::function<void(bool)> on_subscribed) {
  bool hopeless = false;
  {
    const MutexLock lock(mutex_);
    topics_.insert(topics.begin(), topics.end());
    hopeless = !subscriber_.up();
    if (!hopeless) {
      say_subscribed("SUBSCRIBE", topics);
      const std::uint64_t number = ++last_barrier_;
      barriers_.push_back({number, std::move(on_subscribed)});
      subscriber_.write({{"PING", std::to_string(number)}});
      // The link was lost in between: link_down() may have run before this barrier was added.
      if (!subscriber_.up()) {
        on_subscribed = std::move(barriers_.back().on_subscribed);
        barriers_.pop_back();
        hopeless = true;
      }
    }
  }
  // NOLINTNEXTLINE(bugprone-use-after-move): only if it was not moved, or was moved back.
  if (hopeless && on_subscribed) on_subscribed(false);
}

void RedisBus::unsubscribe(const std::vector<std::string>& topics) {
  const MutexLock lock(mutex_);
  for (const std::string& topic : topics) topics_.erase(topic);
  say_subscribed("UNSUBSCRIBE", topics);
}

void RedisBus::link_up() {
  {
    const MutexLock lock(mutex_);
    refused_now_ = false;
    retry_in_ = kRetryFirst;
    subscribe_all();
  }
}

void RedisBus::subscribe_all() {
  retry_at_ = SteadyTime::max();
  subscriber_.write({{"SUBSCRIBE", answer_channel(options_.node)}});
  say_subscribed("SUBSCRIBE", {topics_.begin(), topics_.end()});
  const std::uint64_t number = ++last_barrier_;
  barriers_.push_back({number, [this](bool succeeded) {
                         if (!succeeded) return;
                         {
                           const MutexLock lock(mutex_);
                           refusal_.clear();
                         }
                         receiver_->bus_up();
                       }});
  subscriber_.write({{"PING", std::to_string(number)}});
}

void RedisBus::note_refusal(const std::string& why) {
  bool news = false;
  {
    const MutexLock lock(mutex_);
    news = refusal_.empty();
    refused_now_ = true;
    refusal_ = "Redis at " + options_.link.address.str() + " refuses a subscription: " + printable(why) +
               "; give its user the channels " + options_.prefix + "* (ACL SETUSER … &" + options_.prefix + "*)";
    retry_at_ = options_.link.clock->steady_now() + retry_in_;
    retry_in_ = std::min(std::max(retry_in_, kRetryFirst) * 2, kRetryLast);
  }
  if (news) receiver_->bus_down(why_down());
}

void RedisBus::link_tick() {
  const MutexLock lock(mutex_);
  if (options_.link.clock->steady_now() >= retry_at_) subscribe_all();
}

void RedisBus::link_down(const std::string& why) {
  std::deque<Barrier> lost;
  {
    const MutexLock lock(mutex_);
    lost.swap(barriers_);
    refusal_.clear();
    retry_at_ = SteadyTime::max();
  }
  for (const Barrier& barrier : lost)
    observe::guarded("a failed subscription", [&barrier] { barrier.on_subscribed(false); });
  receiver_->bus_down("cannot use Redis at " + options_.link.address.str() + ": " + why);
}

void RedisBus::reach_barrier(const std::string& token) {
  std::uint64_t number = 0;
  const auto [stop, error] = std::from_chars(token.data(), token.data() + token.size(), number);
  if (error != std::errc{} || stop != token.data() + token.size()) return;
  std::vector<Barrier> reached;
  bool succeeded = true;
  {
    const MutexLock lock(mutex_);
    succeeded = !std::exchange(refused_now_, false);
    while (!barriers_.empty() && barriers_.front().number <= number) {
      reached.push_back(std::move(barriers_.front()));
      barriers_.pop_front();
    }
  }
  for (const Barrier& barrier : reached)
    observe::guarded("a completed subscription", [&] { barrier.on_subscribed(succeeded); });
}

}  // namespace sse::cluster
