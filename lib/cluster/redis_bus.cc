#include "cluster/redis_bus.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "observe/log.h"

namespace sse::cluster {
namespace {

constexpr std::size_t kTopicsInOneCommand = 500;

RedisLinkOptions named(RedisLinkOptions options, const char* name) {
  options.name = name;
  return options;
}

// Cuts "<word><end>" off the front; false where there is none.
bool take_word(std::string_view& bytes, char end, std::string_view& word) {
  const std::size_t found = bytes.find(end);
  if (found == std::string_view::npos) return false;
  word = bytes.substr(0, found);
  bytes.remove_prefix(found + 1);
  return true;
}

bool take_number(std::string_view& bytes, char end, std::uint64_t& number) {
  std::string_view word;
  if (!take_word(bytes, end, word)) return false;
  const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  return error == std::errc{} && stop == word.data() + word.size();
}

}  // namespace

// Answers on their way back. While the receiver works on what came in together they are collected; what is answered
// later goes out at once. Shared with the answer functions, which may outlive the bus' interest in them.
struct RedisBus::Outbox {
  Mutex mutex;
  std::shared_ptr<RedisLink> link GUARDED_BY(mutex);
  bool collecting GUARDED_BY(mutex) = true;
  std::map<std::string, std::string> by_channel GUARDED_BY(mutex);

  void flush() REQUIRES(mutex) {
    for (const auto& [channel, bytes] : by_channel) link->call({"PUBLISH", channel, bytes}, nullptr);
    by_channel.clear();
  }
};

RedisBus::RedisBus(Options options)
    : options_(std::move(options)),
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
  started_ = false;
}

void RedisBus::require_up(std::chrono::milliseconds patience) {
  const SteadyTime deadline = steady_now() + patience;
  commands_->require_up(patience);
  subscriber_.require_up(std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_now()));
}

std::string RedisBus::why_down() const {
  std::string why = subscriber_.up() ? commands_->why_down() : subscriber_.why_down();
  if (commands_->up() && subscriber_.up()) return "";
  return "cannot use Redis at " + options_.link.address.str() + ": " + (why.empty() ? "it is just back" : why);
}

void RedisBus::say_subscribed(const std::string& verb, const std::vector<std::string>& topics) {
  std::vector<RedisCommand> commands;
  for (std::size_t i = 0; i < topics.size(); ++i) {
    if (i % kTopicsInOneCommand == 0) commands.push_back({verb});
    commands.back().push_back(topic_channel(topics[i]));
  }
  subscriber_.write(commands);
}

// Redis answers in order: the answer to a PING says that every SUBSCRIBE before it stands.
void RedisBus::subscribe(const std::vector<std::string>& topics, std::function<void(bool)> standing) {
  bool hopeless = false;
  {
    const MutexLock lock(mutex_);
    topics_.insert(topics.begin(), topics.end());
    hopeless = !subscriber_.up();
    if (!hopeless) {
      say_subscribed("SUBSCRIBE", topics);
      const std::uint64_t number = ++last_barrier_;
      barriers_.push_back({number, std::move(standing)});
      subscriber_.write({{"PING", std::to_string(number)}});
      // Lost in between: link_down() may have looked at the barriers before this one was there.
      if (!subscriber_.up()) {
        standing = std::move(barriers_.back().standing);
        barriers_.pop_back();
        hopeless = true;
      }
    }
  }
  // NOLINTNEXTLINE(bugprone-use-after-move): only where it was not moved, or has come back.
  if (hopeless && standing) standing(false);
}

void RedisBus::unsubscribe(const std::vector<std::string>& topics) {
  const MutexLock lock(mutex_);
  for (const std::string& topic : topics) topics_.erase(topic);
  say_subscribed("UNSUBSCRIBE", topics);
}

void RedisBus::link_up() {
  {
    const MutexLock lock(mutex_);
    subscriber_.write({{"SUBSCRIBE", answer_channel(options_.node)}});
    say_subscribed("SUBSCRIBE", {topics_.begin(), topics_.end()});
    const std::uint64_t number = ++last_barrier_;
    barriers_.push_back({number, [this](bool stands) {
                           if (stands) receiver_->bus_up();
                         }});
    subscriber_.write({{"PING", std::to_string(number)}});
  }
}

void RedisBus::link_down(const std::string& why) {
  std::deque<Barrier> lost;
  {
    const MutexLock lock(mutex_);
    lost.swap(barriers_);
  }
  for (const Barrier& barrier : lost) barrier.standing(false);
  receiver_->bus_down("cannot use Redis at " + options_.link.address.str() + ": " + why);
}

void RedisBus::reach_barrier(const std::string& token) {
  std::uint64_t number = 0;
  const auto [stop, error] = std::from_chars(token.data(), token.data() + token.size(), number);
  if (error != std::errc{} || stop != token.data() + token.size()) return;
  std::vector<Barrier> reached;
  {
    const MutexLock lock(mutex_);
    while (!barriers_.empty() && barriers_.front().number <= number) {
      reached.push_back(std::move(barriers_.front()));
      barriers_.pop_front();
    }
  }
  for (const Barrier& barrier : reached) barrier.standing(true);
}

void RedisBus::link_pushed(std::vector<RedisReply> pushes) {
  const auto outbox = std::make_shared<Outbox>();
  {
    const MutexLock lock(outbox->mutex);
    outbox->link = commands_;
  }
  std::vector<Incoming> commands;
  const std::string answers = answer_channel(options_.node);
  for (RedisReply& push : pushes) {
    if (push.is_error()) {
      observe::log_error("Redis refuses a subscription", {{"error", push.text}});
      continue;
    }
    if (push.list.size() >= 2 && push.list[0].text == "pong") {
      reach_barrier(push.list[1].text);
    } else if (push.list.size() == 3 && push.list[0].text == "message") {
      if (push.list[1].text == answers) {
        take_answers(push.list[2].text);
      } else {
        take_command(push.list[2].text, commands, outbox);
      }
    } else if (push.list.empty() && push.text != "PONG") {
      // What is not subscribed to anything yet is answered in the short form.
      reach_barrier(push.text);
    }
  }
  if (!commands.empty()) receiver_->received(std::move(commands));
  const MutexLock lock(outbox->mutex);
  outbox->collecting = false;
  outbox->flush();
}

// "<node> <number> <size>\n<bytes>", as often as it takes.
void RedisBus::take_answers(const std::string& bytes) {
  std::string_view rest = bytes;
  while (!rest.empty()) {
    std::string_view node;
    std::uint64_t number = 0;
    std::uint64_t size = 0;
    if (!take_word(rest, ' ', node) || !take_number(rest, ' ', number) || !take_number(rest, '\n', size) ||
        size > rest.size()) {
      observe::log_error("an answer of another node makes no sense; are all of the same version?");
      return;
    }
    gathering_.answered(number, std::string(node), std::string(rest.substr(0, size)));
    rest.remove_prefix(size);
  }
}

// "<node> <number>\n<bytes>"
void RedisBus::take_command(const std::string& bytes, std::vector<Incoming>& commands,
                            const std::shared_ptr<Outbox>& outbox) {
  std::string_view rest = bytes;
  std::string_view node;
  std::uint64_t number = 0;
  if (!take_word(rest, ' ', node) || !take_number(rest, '\n', number)) {
    observe::log_error("a command of another node makes no sense; are all of the same version?");
    return;
  }
  if (node == options_.node) {
    gathering_.came_back(number);
    return;
  }
  const std::string head = options_.node + ' ' + std::to_string(number) + ' ';
  commands.push_back({std::string(node), std::string(rest),
                      [outbox, head, channel = answer_channel(std::string(node))](const std::string& answer) {
                        const MutexLock lock(outbox->mutex);
                        std::string& out = outbox->by_channel[channel];
                        out += head + std::to_string(answer.size()) + '\n' + answer;
                        if (!outbox->collecting) outbox->flush();
                      }});
}

std::shared_ptr<Asked> RedisBus::ask(const std::vector<Command>& commands) {
  const auto [first, asked] = gathering_.open(commands.size());
  std::vector<RedisCommand> publish;
  std::vector<RedisLink::Done> done;
  const bool deaf = !subscriber_.up();
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const std::uint64_t number = first + i;
    publish.push_back({"PUBLISH", topic_channel(commands[i].topic),
                       options_.node + ' ' + std::to_string(number) + '\n' + commands[i].bytes});
    done.emplace_back([this, number, deaf](const RedisReply& reply) {
      if (reply.is_error()) {
        gathering_.failed(number, reply.text);
      } else if (deaf && reply.integer > 0) {
        gathering_.failed(number, "answers cannot be received now: " + why_down());
      } else {
        gathering_.reached(number, static_cast<std::size_t>(std::max<std::int64_t>(reply.integer, 0)));
      }
    });
  }
  if (!commands.empty()) commands_->call_all(publish, done);
  return asked;
}

}  // namespace sse::cluster
