#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "cluster/bus.h"
#include "cluster/gathering.h"
#include "cluster/redis_link.h"

namespace sse::cluster {

/// A bus over Redis' publish and subscribe: a command is one PUBLISH, which reaches the nodes that subscribed to the
/// topic and no other, and whose integer reply tells how many answers to wait for; several that follow each other to
/// the same topic share one. Answers are published to a topic of the asking node, all that became ready together in one
/// message.
///
/// Redis counts a frozen node among those a command reached until it closes that one's connection. So while more are
/// subscribed than are entered (set_living()), each command is followed by a fence: a message to all nodes, which each
/// answers when it has answered all that it got from this one before. When all that live have, the rest is silent.
///
/// A subscription that Redis refuses (its ACL) makes the bus one that is down, says so, and is tried again.
class RedisBus final : public Bus, private RedisLink::Listener {
 public:
  struct Options {
    RedisLinkOptions link;
    std::string prefix = "sse:";  ///< of every channel
    std::string node;             ///< unique among all that share the prefix; no blanks, no line breaks
  };

  explicit RedisBus(Options options);
  ~RedisBus() override { stop(); }
  RedisBus(const RedisBus&) = delete;
  RedisBus& operator=(const RedisBus&) = delete;

  void start(Receiver& receiver) override;
  void stop() override;
  /// Throws as RedisLink::require_up().
  void require_up(std::chrono::milliseconds patience);

  void subscribe(const std::vector<std::string>& topics, std::function<void(bool)> standing) override EXCLUDES(mutex_);
  void unsubscribe(const std::vector<std::string>& topics) override EXCLUDES(mutex_);
  std::shared_ptr<Asked> ask(const std::vector<Command>& commands) override;
  void set_living(const std::vector<Living>& nodes) override EXCLUDES(fences_mutex_);
  std::string why_down() const override EXCLUDES(mutex_);

  /// For others who need Redis: the link that publishes.
  RedisLink& link() { return *commands_; }

 private:
  void link_up() override EXCLUDES(mutex_);
  void link_tick() override EXCLUDES(mutex_);
  void link_down(const std::string& why) override EXCLUDES(mutex_);
  void link_pushed(std::vector<RedisReply> pushes) override;

  class Outbox;
  // What came of one node and is not answered yet. Older ones hold newer ones, so that each ends after those before it;
  // then it passes the fence behind it, if there is one.
  class Unanswered;
  struct Origin {
    std::string node, channel;
    std::shared_ptr<Unanswered> unanswered;
  };
  // What came in together.
  struct Incomings {
    std::shared_ptr<Outbox> outbox;
    std::vector<Incoming> commands;
    std::vector<std::uint64_t> sizes;      // of one message
    std::shared_ptr<const Origin> origin;  // of the last one
  };
  // Numbers of commands in one PUBLISH.
  struct Group {
    std::uint64_t first;
    std::size_t count;
  };
  struct Outgoing {
    std::string bytes;
    std::vector<Group> groups;
  };
  // Behind some commands, until all nodes that live have passed it.
  struct Fence {
    std::uint64_t first;
    std::size_t count;
    SteadyTime sent;
    std::set<std::string> passed;  // ids of nodes
  };
  struct Absent {
    std::string topic;
    SteadyTime since;
  };
  void raise_fence(std::uint64_t first, std::size_t count) EXCLUDES(fences_mutex_);
  void pass_fence(const std::string& node, std::string_view token) EXCLUDES(fences_mutex_);
  bool passed_by_all(const Fence& fence) const REQUIRES(fences_mutex_);
  void give_up_behind(std::uint64_t token) REQUIRES(fences_mutex_);
  void answer_fence(const std::string& node, std::uint64_t token);
  std::shared_ptr<Unanswered>& unanswered_of(const std::string& node);
  /// To all who are subscribed to the topic; `subscribed` gets how many those are.
  void publish_fence(const std::string& topic, std::uint64_t token, std::function<void(std::size_t)> subscribed);
  void take_answers(std::string_view bytes);
  void take_commands(std::string_view bytes, Incomings& incoming);
  void publish(Outgoing& out);
  void note_reply(const Group& group, const RedisReply& reply, bool deaf);
  void reach_barrier(const std::string& token) EXCLUDES(mutex_);
  /// Everything from the start, and the bus is up when it stands.
  void subscribe_all() REQUIRES(mutex_);
  /// Redis refused a SUBSCRIBE: nothing up to the next barrier stands, and all is tried again later.
  void note_refusal(const std::string& why) EXCLUDES(mutex_);
  std::string answer_channel(const std::string& node) const { return options_.prefix + "answer:" + node; }
  std::string topic_channel(const std::string& topic) const;
  void say_subscribed(const std::string& verb, const std::vector<std::string>& topics);

  const Options options_;
  Gathering gathering_;
  Receiver* receiver_ = nullptr;
  bool started_ = false;

  struct Barrier {
    std::uint64_t number;
    std::function<void(bool)> standing;
  };
  mutable Mutex mutex_;
  std::unordered_set<std::string> topics_ GUARDED_BY(mutex_);
  std::deque<Barrier> barriers_ GUARDED_BY(mutex_);
  std::uint64_t last_barrier_ GUARDED_BY(mutex_) = 0;
  bool refused_now_ GUARDED_BY(mutex_) = false;  // since the last barrier
  std::string refusal_ GUARDED_BY(mutex_);       // until all subscriptions stand again
  SteadyTime retry_at_ GUARDED_BY(mutex_) = SteadyTime::max();
  std::chrono::milliseconds retry_in_ GUARDED_BY(mutex_){};

  Mutex fences_mutex_;
  std::map<std::string, std::string> living_ GUARDED_BY(fences_mutex_);  // topics by id
  std::map<std::string, Absent> absent_ GUARDED_BY(fences_mutex_);       // were entered and are still subscribed, by id
  std::map<std::uint64_t, Fence> fences_ GUARDED_BY(fences_mutex_);      // raised, by token
  std::uint64_t last_fence_ GUARDED_BY(fences_mutex_) = 0;
  std::atomic<bool> surplus_{false};  // more are subscribed than are entered

  // On the subscriber's thread only.
  std::unordered_map<std::string, std::shared_ptr<Unanswered>> unanswered_;  // by the bus' name
  std::size_t most_unanswered_ = 1024;

  // Last: their threads use the rest.
  const std::shared_ptr<RedisLink> commands_;  // shared with answers that are not given yet
  RedisLink subscriber_;
};

}  // namespace sse::cluster
