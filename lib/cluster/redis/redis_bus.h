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
#include "cluster/core/bus.h"
#include "cluster/core/request_tracker.h"
#include "cluster/redis/redis_frames.h"
#include "cluster/redis/redis_link.h"

namespace sse::cluster {

/// A bus over Redis Pub/Sub. A command is one PUBLISH, which reaches only the subscribers of its topic; its integer
/// reply is the number of replies to wait for. Consecutive commands to the same topic share one PUBLISH. Replies are
/// published to a channel of the sending node; replies that become ready together share one message.
///
/// Redis counts a frozen node among the receivers of a command until it closes that node's connection. So while there
/// are more subscribers than registered nodes (set_live_nodes()), each command is followed by a fence: a message to all
/// nodes, to which each replies after its replies to everything it received before from the same sender. When all live
/// nodes have passed the fence, the missing replies count as silent.
///
/// If Redis refuses a subscription (ACL), the bus is down, reports so, and retries.
class RedisBus final : public Bus, private RedisLink::Listener {
 public:
  struct Options {
    RedisLinkOptions link;
    std::string prefix = "sse:";  ///< of all channels
    std::string node;             ///< unique among all that share the prefix; no spaces, no line breaks
  };

  explicit RedisBus(Options options);
  ~RedisBus() override { stop(); }
  RedisBus(const RedisBus&) = delete;
  RedisBus& operator=(const RedisBus&) = delete;

  void start(Receiver& receiver) override;
  void stop() override;
  /// Throws as RedisLink::require_up().
  void require_up(std::chrono::milliseconds timeout);

  void subscribe(const std::vector<std::string>& topics, std::function<void(bool)> on_subscribed) override
      EXCLUDES(mutex_);
  void unsubscribe(const std::vector<std::string>& topics) override EXCLUDES(mutex_);
  std::shared_ptr<PendingCall> start_call(const std::vector<Command>& commands) override;
  void set_live_nodes(const std::vector<LiveNode>& nodes) override EXCLUDES(fences_mutex_);
  std::string why_down() const override EXCLUDES(mutex_);

  /// The link that publishes, for other users of Redis in this process.
  RedisLink& link() { return *commands_; }

 private:
  void link_up() override EXCLUDES(mutex_);
  void link_tick() override EXCLUDES(mutex_);
  void link_down(const std::string& why) override EXCLUDES(mutex_);
  void link_pushed(std::vector<RedisReply> pushes) override;

  class Outbox;
  // Commands of one node that have no reply yet. An older group holds a reference to the next newer one, so that groups
  // end in order; a group that ends passes the fence after it, if there is one.
  class Unanswered;
  struct Origin {
    std::string node, channel;
    std::shared_ptr<Unanswered> unanswered;
  };
  // Commands that arrived together.
  struct Incomings {
    std::shared_ptr<Outbox> outbox;
    std::vector<Incoming> commands;
    CommandFrame frame;                    // the most recent one; its views may be invalid
    std::shared_ptr<const Origin> origin;  // of the most recent command
  };
  // The numbers of the commands in one PUBLISH.
  struct Group {
    std::uint64_t first;
    std::size_t count;
  };
  struct Outgoing {
    std::string bytes;
    std::vector<Group> groups;
  };
  // Follows some commands, and is open until all live nodes have passed it.
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
  /// Sends to all subscribers of the topic; `subscribed` receives their number.
  void publish_fence(const std::string& topic, std::uint64_t token, std::function<void(std::size_t)> subscribed);
  template <class Read, class Use>
  void read_message(Read read, Use use);
  void take_answers(std::string_view bytes);
  void take_commands(std::string_view bytes, Incomings& incoming);
  void take_frame(const CommandFrame& frame, Incomings& incoming);
  void publish(Outgoing& out);
  void note_reply(const Group& group, const RedisReply& reply, bool cannot_receive);
  void reach_barrier(const std::string& token) EXCLUDES(mutex_);
  /// Subscribes to everything again; when that is complete, the bus is up.
  void subscribe_all() REQUIRES(mutex_);
  /// Redis refused a SUBSCRIBE: everything up to the next barrier fails, and is retried later.
  void note_refusal(const std::string& why) EXCLUDES(mutex_);
  std::string answer_channel(const std::string& node) const { return options_.prefix + "answer:" + node; }
  std::string topic_channel(const std::string& topic) const;
  void say_subscribed(const std::string& verb, const std::vector<std::string>& topics);

  const Options options_;
  const std::string frame_begin_;  // of all messages of this node
  RequestTracker tracker_;
  Receiver* receiver_ = nullptr;
  bool started_ = false;

  struct Barrier {
    std::uint64_t number;
    std::function<void(bool)> on_subscribed;
  };
  mutable Mutex mutex_;
  std::unordered_set<std::string> topics_ GUARDED_BY(mutex_);
  std::deque<Barrier> barriers_ GUARDED_BY(mutex_);
  std::uint64_t last_barrier_ GUARDED_BY(mutex_) = 0;
  bool refused_now_ GUARDED_BY(mutex_) = false;  // since the last barrier
  std::string refusal_ GUARDED_BY(mutex_);       // until all subscriptions are complete again
  SteadyTime retry_at_ GUARDED_BY(mutex_) = SteadyTime::max();
  std::chrono::milliseconds retry_in_ GUARDED_BY(mutex_){};

  Mutex fences_mutex_;
  std::map<std::string, std::string> live_nodes_ GUARDED_BY(fences_mutex_);  // topics by id
  std::map<std::string, Absent> absent_ GUARDED_BY(fences_mutex_);   // once registered and still subscribed, by id
  std::map<std::uint64_t, Fence> fences_ GUARDED_BY(fences_mutex_);  // open fences, by token
  std::uint64_t last_fence_ GUARDED_BY(fences_mutex_) = 0;
  std::atomic<bool> surplus_{false};  // there are more subscribers than registered nodes

  // Subscriber thread only.
  std::unordered_map<std::string, std::shared_ptr<Unanswered>> unanswered_;  // by bus name
  std::size_t max_unanswered_ = 1024;

  // Last members: their threads use the others.
  const std::shared_ptr<RedisLink> commands_;  // shared with outstanding replies
  RedisLink subscriber_;
};

}  // namespace sse::cluster
