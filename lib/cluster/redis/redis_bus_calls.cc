#include <algorithm>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "cluster/core/wire_version.h"
#include "cluster/redis/redis_bus.h"
#include "observe/barrier.h"
#include "observe/log.h"

// The part of RedisBus that sends commands, and reads the messages of other nodes.
namespace sse::cluster {
namespace {

constexpr std::size_t kMaxInOneMessage = std::size_t{256} << 10;
constexpr std::size_t kWriteBytes = std::size_t{64} << 10;
constexpr std::size_t kMaxOrigins = 1024;

}  // namespace

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
