#include "cluster/redis/redis_bus.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "cluster/core/topics.h"
#include "cluster/core/wire_version.h"
#include "cluster/redis/redis_frames.h"
#include "observe/barrier.h"
#include "observe/log.h"

namespace sse::cluster {
namespace {

constexpr std::size_t kTopicsInOneCommand = 500;
constexpr std::size_t kMaxInOneMessage = std::size_t{256} << 10;
constexpr std::size_t kWriteBytes = std::size_t{64} << 10;
constexpr std::string_view kTopicPrefix = "topic:";
// Initial backoff after a refused subscription; doubled each time.
constexpr std::chrono::milliseconds kRetryFirst{1000};
constexpr std::chrono::milliseconds kRetryLast{30'000};
// How long a vanished node is named while its subscriptions remain.
constexpr std::chrono::hours kRemembered{1};
constexpr std::chrono::seconds kFenceKept{10};
constexpr std::size_t kMaxOrigins = 1024;

std::string id_in(const std::string& bus_name) {
  return bus_name.substr(0, bus_name.rfind('~'));
}

RedisLinkOptions named(RedisLinkOptions options, const char* name) {
  options.name = name;
  return options;
}

void append_argument(std::string& out, std::initializer_list<std::string_view> pieces) {
  std::size_t size = 0;
  for (const std::string_view piece : pieces) size += piece.size();
  out.append(1, '$').append(std::to_string(size)).append("\r\n");
  for (const std::string_view piece : pieces) out += piece;
  out += "\r\n";
}

void append_publish(std::string& out, std::initializer_list<std::string_view> channel,
                    std::initializer_list<std::string_view> message) {
  out += "*3\r\n$7\r\nPUBLISH\r\n";
  append_argument(out, channel);
  append_argument(out, message);
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

// Replies to other nodes. Collected while a ReplyBatch exists; later replies are sent at once. Shared with the answer
// functions, which may outlive the bus' own reference.
class RedisBus::Outbox {
 public:
  Outbox(std::shared_ptr<RedisLink> link, std::string begin) : link_(std::move(link)), begin_(std::move(begin)) {}

  void answer(const Origin& origin, std::uint64_t number, std::string_view bytes) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    std::string& out = by_channel_[origin.channel];
    // A fence is passed only after the replies before it.
    if (collecting_) collected_.push_back(origin.unanswered);
    if (out.empty()) out.append(begin_).append(1, '\n');
    append_reply(out, number, bytes);
    if (!collecting_) flush();
  }
  void stop_collecting() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    collecting_ = false;
    flush();
  }

 private:
  void flush() REQUIRES(mutex_) {
    if (by_channel_.empty()) return;
    std::string commands;
    for (const auto& [channel, bytes] : by_channel_) append_publish(commands, {channel}, {bytes});
    link_->call_all(commands, by_channel_.size(), nullptr);
    by_channel_.clear();
    collected_.clear();
  }

  const std::shared_ptr<RedisLink> link_;
  const std::string begin_;
  Mutex mutex_;
  bool collecting_ GUARDED_BY(mutex_) = true;
  std::map<std::string, std::string> by_channel_ GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Unanswered>> collected_ GUARDED_BY(mutex_);
};

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

void RedisBus::link_pushed(std::vector<RedisReply> pushes) {
  Incomings incoming{std::make_shared<Outbox>(commands_, frame_begin_), {}, {}, nullptr};
  const std::string answers = answer_channel(options_.node);
  for (RedisReply& push : pushes) {
    if (push.is_error()) {
      note_refusal(push.text);
      continue;
    }
    if (push.list.size() >= 2 && push.list[0].text == "pong") {
      reach_barrier(push.list[1].text);
    } else if (push.list.size() == 3 && push.list[0].text == "message") {
      if (push.list[1].text == answers) {
        take_answers(push.list[2].text);
      } else {
        take_commands(push.list[2].text, incoming);
      }
    } else if (push.list.empty() && push.text != "PONG") {
      // Before the first subscription Redis replies to PING in the short form.
      reach_barrier(push.text);
    }
  }
  if (!incoming.commands.empty()) {
    // Flushes the outbox when its last owner releases it.
    ReplyBatch reply_batch(nullptr, [outbox = incoming.outbox](std::nullptr_t) {
      observe::guarded("replies to another node", [&outbox] { outbox->stop_collecting(); });
    });
    receiver_->received(std::move(incoming.commands), std::move(reply_batch));
  }
  tracker_.run_ready();
}

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

// Calls `use` with what `read` returns; reports a frame that cannot be read.
template <class Read, class Use>
void RedisBus::read_message(Read read, Use use) {
  try {
    use(read());
  } catch (const WireRefusal& refusal) {
    receiver_->refused(refusal.node(), refusal.version());
  } catch (const Error& e) {
    observe::log_error("refused a message of another node", {{"error", e.what()}});
  }
}

void RedisBus::take_answers(std::string_view bytes) {
  read_message([&] { return read_reply_frame(bytes); },
               [&](const ReplyFrame& frame) {
                 const std::string node(frame.node);
                 for (const auto& [number, reply] : frame.replies) {
                   if (number == 0) {
                     pass_fence(node, reply);
                   } else {
                     tracker_.answered(number, node, std::string(reply));
                   }
                 }
               });
}

void RedisBus::take_commands(std::string_view bytes, Incomings& incoming) {
  const auto read = [&]() -> const CommandFrame& {
    read_frame(bytes, incoming.frame);
    return incoming.frame;
  };
  read_message(read, [&](const CommandFrame& frame) { take_frame(frame, incoming); });
}

void RedisBus::take_frame(const CommandFrame& frame, Incomings& incoming) {
  if (frame.node == options_.node) {
    for (std::size_t i = 0; i < frame.commands.size(); ++i) tracker_.echoed(frame.first + i);
    // Includes its own fences: its earlier commands have arrived by then.
    if (frame.fence.value_or(0) != 0) pass_fence(options_.node, std::to_string(*frame.fence));
    return;
  }
  const std::string node(frame.node);
  if (frame.fence.value_or(0) != 0) answer_fence(node, *frame.fence);
  if (frame.commands.empty()) return;
  // Other programs start and end: remove groups without references.
  if (unanswered_.size() >= max_unanswered_) {
    std::erase_if(unanswered_, [](const auto& one) { return one.second.use_count() == 1; });
    max_unanswered_ = std::max<std::size_t>(kMaxOrigins, 2 * unanswered_.size());
  }
  // Each fence begins a new group of the sender's commands.
  if (std::shared_ptr<Unanswered>& unanswered = unanswered_of(node);
      !incoming.origin || incoming.origin->node != node || incoming.origin->unanswered != unanswered) {
    incoming.origin = std::make_shared<const Origin>(Origin{node, answer_channel(node), unanswered});
  }
  for (std::size_t i = 0; i < frame.commands.size(); ++i) {
    incoming.commands.push_back({node, std::string(frame.commands[i]),
                                 [outbox = incoming.outbox, origin = incoming.origin, number = frame.first + i](
                                     const std::string& answer) { outbox->answer(*origin, number, answer); }});
  }
}

// Consecutive commands to the same topic share one PUBLISH, and only those, so that all arrive in the order in which
// they were sent.
std::shared_ptr<PendingCall> RedisBus::start_call(const std::vector<Command>& commands) {
  const auto [first, pending_call] = tracker_.open(commands.size());
  Outgoing out;
  for (std::size_t begin = 0; begin < commands.size();) {
    std::string sizes;
    std::string bytes;
    std::size_t end = begin;
    for (; end < commands.size() && commands[end].topic == commands[begin].topic; ++end) {
      const std::string& command = commands[end].bytes;
      if (end != begin && bytes.size() + command.size() > kMaxInOneMessage) break;
      sizes.append(sizes.empty() ? "" : ",").append(std::to_string(command.size()));
      bytes += command;
    }
    append_publish(out.bytes, {options_.prefix, kTopicPrefix, commands[begin].topic},
                   {frame_begin_, commands_head(first + begin, sizes), bytes});
    out.groups.push_back({first + begin, end - begin});
    begin = end;
    // Lets Redis and the other nodes begin while the rest is encoded.
    if (out.bytes.size() >= kWriteBytes) publish(out);
  }
  publish(out);
  if (surplus_.load()) raise_fence(first, commands.size());
  return pending_call;
}

void RedisBus::publish(Outgoing& out) {
  if (out.groups.empty()) return;
  const bool cannot_receive = !why_down().empty();
  const std::size_t count = out.groups.size();
  commands_->call_all(out.bytes, count,
                      [this, cannot_receive, groups = std::move(out.groups)](const std::vector<RedisReply>& replies) {
                        for (std::size_t g = 0; g < groups.size(); ++g)
                          note_reply(groups[g], replies[g], cannot_receive);
                        tracker_.run_ready();
                      });
  out = {};
}

void RedisBus::note_reply(const Group& group, const RedisReply& reply, bool cannot_receive) {
  for (std::uint64_t number = group.first; number < group.first + group.count; ++number) {
    if (reply.is_error()) {
      tracker_.failed(number, reply.text);
    } else if (cannot_receive && reply.integer > 0) {
      tracker_.failed(number, "replies cannot be received now: " + why_down());
    } else {
      tracker_.reached(number, static_cast<std::size_t>(std::max<std::int64_t>(reply.integer, 0)));
    }
  }
}

}  // namespace sse::cluster
