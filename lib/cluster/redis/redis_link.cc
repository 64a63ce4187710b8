#include "cluster/redis/redis_link.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <random>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "observe/barrier.h"

namespace sse::cluster {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kReadBytes = std::size_t{64} << 10;
constexpr milliseconds kLongestNap{10'000};

}  // namespace

RedisLink::RedisLink(RedisLinkOptions options, Mode mode, Listener* listener)
    : options_(std::move(options)),
      clock_(*options_.clock),
      mode_(mode),
      listener_(listener),
      wakeup_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      watch_wakeup_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      clock_moved_(clock_.on_move([this] { kick(); })) {
  if (!wakeup_.valid() || !watch_wakeup_.valid())
    throw system_error(errno, "cannot make an eventfd for the link to Redis");
  why_down_ = "no connection has been tried yet";
}

void RedisLink::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), options_.name.substr(0, 15).c_str());
    run();
  });
  if (options_.address.sentinels.empty()) return;
  watcher_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "sse-sentinels");
    observe::guarded("watching the sentinels of Redis", [this] { watch_primary(); });
  });
}

void RedisLink::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  kick();
  if (thread_.joinable()) thread_.join();
  if (watcher_.joinable()) watcher_.join();
}

bool RedisLink::stopping() const {
  const MutexLock lock(mutex_);
  return stopping_;
}

std::string RedisLink::why_down() const {
  const MutexLock lock(mutex_);
  return why_down_;
}

void RedisLink::kick() const {
  const std::uint64_t one = 1;
  // Fails only after 2^64 - 1 kicks.
  if (::write(wakeup_.get(), &one, sizeof one) < 0) return;
  if (options_.address.sentinels.empty()) return;
  if (::write(watch_wakeup_.get(), &one, sizeof one) < 0) return;
}

void RedisLink::take_kicks(const UniqueFd& wakeup) {
  std::uint64_t kicks = 0;
  // Fails only when there is nothing to read.
  if (::read(wakeup.get(), &kicks, sizeof kicks) < 0) return;
}

void RedisLink::require_up(milliseconds timeout) {
  const SteadyTime deadline = clock_.steady_now() + timeout;
  const MutexLock lock(mutex_);
  // A refused login will not be accepted a moment later, so do not wait.
  while (!up() && !refused_login_ && !stopping_) {
    if (!changed_.wait_until(mutex_, deadline, clock_)) break;
  }
  if (up()) return;
  throw Error(refused_login_ ? ErrorCode::kPermissionDenied : ErrorCode::kUnavailable,
              "cannot use Redis at " + options_.address.str() + ": " + why_down_ +
                  (refused_login_ ? "; check the user and password" : "; is it running?"));
}

void RedisLink::call(const RedisCommand& command, Done done) {
  std::string bytes;
  append_command(bytes, command);
  AllDone all;
  if (done) all = [done = std::move(done)](std::vector<RedisReply> replies) { done(std::move(replies.front())); };
  call_all(bytes, 1, std::move(all));
}

void RedisLink::call_all(std::string_view commands, std::size_t count, AllDone done) {
  std::string refusal;
  {
    const MutexLock lock(mutex_);
    if (!up()) {
      refusal = why_down_;
    } else if (unsent_.size() > options_.max_unsent) {
      refusal = "more than " + format_bytes(ByteCount(options_.max_unsent)) + " are waiting to be sent to it";
    } else {
      unsent_ += commands;
      waiting_.push_back({std::move(done), count, {}, clock_.steady_now() + options_.answer_timeout});
      // If the socket does not accept it, the link's thread will find the reason.
      static_cast<void>(flush());
      if (!unsent_.empty()) kick();
      return;
    }
  }
  if (!done) return;
  const std::string sentence = "cannot use Redis at " + options_.address.str() + ": " + refusal;
  done(std::vector<RedisReply>(count, RedisReply::error(sentence)));
}

// Errors of Redis begin with a word in capitals.
bool RedisLink::is_no_reply(const RedisReply& reply) {
  return reply.is_error() && reply.text.starts_with("cannot use Redis");
}

Error error_in(const RedisReply& reply) {
  if (RedisLink::is_no_reply(reply)) return {ErrorCode::kUnavailable, reply.text};
  struct Known {
    std::string_view begin;
    ErrorCode code;
    const char* advice;
  };
  static constexpr std::array<Known, 10> kKnown{{
      {"OOM", ErrorCode::kLimitExceeded, "it is over its maxmemory: raise that, or delete what is not needed"},
      {"NOPERM", ErrorCode::kIo, "give the user that right (ACL SETUSER)"},
      {"ERR The user executing the script", ErrorCode::kIo, "give the user that right (ACL SETUSER)"},
      {"NOAUTH", ErrorCode::kIo, "give user and password"},
      {"BUSY", ErrorCode::kUnavailable, "a script has been running there for too long"},
      {"LOADING", ErrorCode::kUnavailable, "it is loading its data; try again in a moment"},
      {"MASTERDOWN", ErrorCode::kUnavailable, "it is a replica without its master"},
      {"READONLY", ErrorCode::kUnavailable, "it is a replica; give the address of the master"},
      {"TRYAGAIN", ErrorCode::kUnavailable, "try again in a moment"},
      {"MISCONF", ErrorCode::kUnavailable, "it cannot write its data to disk"},
  }};
  for (const Known& known : kKnown) {
    // Redis 6 and older prefix an error inside a script with its position.
    if (reply.text.starts_with(known.begin) || reply.text.find(": -" + std::string(known.begin)) != std::string::npos)
      return {known.code, "Redis returned an error: " + printable(reply.text) + "; " + known.advice};
  }
  return {ErrorCode::kIo, "Redis returned an error: " + printable(reply.text)};
}

RedisReply RedisLink::execute_unchecked(const RedisCommand& command) {
  return std::move(wait_for_all({command}).front());
}

RedisReply RedisLink::execute(const RedisCommand& command) {
  return std::move(execute_all({command}).front());
}

std::vector<RedisReply> RedisLink::execute_all(const std::vector<RedisCommand>& commands) {
  std::vector<RedisReply> replies = wait_for_all(commands);
  for (const RedisReply& reply : replies) {
    if (reply.is_error()) throw error_in(reply);
  }
  return replies;
}

std::vector<RedisReply> RedisLink::wait_for_all(const std::vector<RedisCommand>& commands) {
  struct PendingReplies {
    Mutex mutex;
    CondVar changed;
    std::vector<RedisReply> replies GUARDED_BY(mutex);
  };
  if (commands.empty()) return {};
  std::string bytes;
  for (const RedisCommand& command : commands) append_command(bytes, command);
  // Shared: the replying thread may still be inside notify_all() when this thread has returned.
  const auto answers = std::make_shared<PendingReplies>();
  call_all(bytes, commands.size(), [answers](std::vector<RedisReply> replies) {
    const MutexLock lock(answers->mutex);
    answers->replies = std::move(replies);
    answers->changed.notify_all();
  });
  const MutexLock lock(answers->mutex);
  while (answers->replies.empty()) answers->changed.wait(answers->mutex);
  for (const RedisReply& reply : answers->replies) {
    if (is_no_reply(reply)) throw error_in(reply);
  }
  return std::move(answers->replies);
}

void RedisLink::write(const std::vector<RedisCommand>& commands) {
  const MutexLock lock(mutex_);
  if (!up()) return;
  for (const RedisCommand& command : commands) append_command(unsent_, command);
  static_cast<void>(flush());
  if (!unsent_.empty()) kick();
}

std::string RedisLink::flush() {
  std::size_t sent = 0;
  std::string why;
  while (sent < unsent_.size()) {
    const ssize_t n = socket_.send(std::string_view(unsent_).substr(sent));
    if (n > 0) {
      sent += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      break;
    } else if (errno != EINTR) {
      why = reason_of(socket_, errno);
      break;
    }
  }
  unsent_.erase(0, sent);
  if (unsent_.empty() && unsent_.capacity() > kReadBytes) unsent_.shrink_to_fit();
  return why;
}

void RedisLink::run() {
  RedisReader reader(options_.reply);
  std::minstd_rand random(std::random_device{}());
  milliseconds pause = options_.backoff_least;
  while (!stopping()) {
    bool connected = false;
    observe::guarded("connecting to Redis", [&] { connected = connect(reader).empty(); });
    if (connected) {
      const SteadyTime since = options_.clock->steady_now();
      std::string why = "this program failed to handle its reply";
      observe::guarded("the link to Redis", [&] { why = serve(reader); });
      lose(why);
      // A server that accepts connections and closes them at once does not reset the backoff.
      if (options_.clock->steady_now() - since > options_.backoff_most) pause = options_.backoff_least;
    }
    // Half fixed, half random, so that nodes that lost Redis together do not reconnect together.
    rest(pause / 2 + milliseconds(std::uniform_int_distribution<std::int64_t>(0, pause.count() / 2)(random)));
    pause = std::min(pause * 2, options_.backoff_most);
  }
}

void RedisLink::rest(milliseconds time) {
  const SteadyTime deadline = clock_.steady_now() + time;
  const MutexLock lock(mutex_);
  while (!stopping_ && changed_.wait_until(mutex_, deadline, clock_)) {
  }
}

std::string RedisLink::serve(RedisReader& reader) {
  heard_ = pinged_ = clock_.steady_now();
  for (;;) {
    std::array<pollfd, 2> fds{};
    // A call does not wake this thread, which would double the cost of the call: a timeout may be noticed a quarter
    // late.
    const milliseconds nap = std::min(options_.answer_timeout / 4, kLongestNap);
    const int timeout = static_cast<int>(clock_.wait_time(clock_.steady_now() + nap).count());
    {
      const MutexLock lock(mutex_);
      if (stopping_) return "this program is stopping";
      if (moved_) return "its sentinels have named another primary";
      fds[0] = {socket_.fd.get(), static_cast<short>(unsent_.empty() ? POLLIN : POLLIN | POLLOUT), 0};
    }
    fds[1] = {wakeup_.get(), POLLIN, 0};
    if (::poll(fds.data(), fds.size(), timeout) < 0 && errno != EINTR) return error_text(errno);
    if (fds[1].revents != 0) take_kicks(wakeup_);
    if ((fds[0].revents & POLLOUT) != 0) {
      const MutexLock lock(mutex_);
      if (std::string why = flush(); !why.empty()) return why;
    }
    if ((fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
      if (std::string why = read_some(reader); !why.empty()) return why;
    }
    if (std::string why = watch_silence(); !why.empty()) return why;
    if (listener_ != nullptr) observe::guarded("maintaining a link to Redis", [this] { listener_->link_tick(); });
  }
}

std::string RedisLink::read_some(RedisReader& reader) {
  std::vector<char> buffer(kReadBytes);
  int fd = -1;
  ssize_t n = 0;
  std::string why;
  {
    const MutexLock lock(mutex_);
    // Only this thread closes it. Writers use the TLS session meanwhile, but not the receiving side of a socket.
    if (socket_.tls == nullptr) {
      fd = socket_.fd.get();
    } else if (n = socket_.receive(buffer.data(), buffer.size()); n < 0 && errno != EAGAIN) {
      why = reason_of(socket_, errno);
    }
  }
  if (fd >= 0) n = ::recv(fd, buffer.data(), buffer.size(), 0);
  if (n == 0) return "it closed the connection";
  if (n < 0 && fd >= 0 && errno != EAGAIN && errno != EINTR) return error_text(errno);
  if (n < 0) return why;
  heard_ = clock_.steady_now();
  std::vector<RedisReply> replies;
  if (!reader.feed(buffer.data(), static_cast<std::size_t>(n), replies)) return "it " + reader.problem();
  return take(std::move(replies));
}

std::string RedisLink::take(std::vector<RedisReply> replies) {
  if (replies.empty()) return "";
  bool unexpected = false;
  if (mode_ == Mode::kSubscriber) {
    if (listener_ != nullptr)
      observe::guarded("a message published by Redis", [&] { listener_->link_pushed(std::move(replies)); });
    return "";
  }
  std::vector<Waiting> complete;
  {
    const MutexLock lock(mutex_);
    for (RedisReply& reply : replies) {
      unexpected = waiting_.empty();
      if (unexpected) break;
      Waiting& first = waiting_.front();
      first.replies.push_back(std::move(reply));
      if (first.replies.size() < first.count) continue;
      complete.push_back(std::move(first));
      waiting_.pop_front();
    }
  }
  for (Waiting& one : complete) {
    if (one.done) observe::guarded("a reply of Redis", [&one] { one.done(std::move(one.replies)); });
  }
  // All later replies would be matched to the wrong commands.
  return unexpected ? "it sent a reply without a command" : "";
}

// A frozen peer or a route that drops all packets is noticed only by the lack of replies.
std::string RedisLink::watch_silence() {
  const SteadyTime now = clock_.steady_now();
  std::string silent = "it has not answered for " + format_duration(options_.answer_timeout);
  {
    const MutexLock lock(mutex_);
    if (!waiting_.empty() && waiting_.front().deadline <= now) return silent;
  }
  if (heard_ > pinged_) pinged_ = heard_;
  if (now - heard_ < options_.answer_timeout) return "";
  if (pinged_ > heard_) return now - pinged_ < options_.answer_timeout ? "" : silent;
  pinged_ = now;
  if (mode_ == Mode::kSubscriber) {
    write({{"PING"}});
  } else {
    call({"PING"}, nullptr);
  }
  return "";
}

void RedisLink::lose(const std::string& why) {
  std::deque<Waiting> lost;
  {
    const MutexLock lock(mutex_);
    up_.store(false, std::memory_order_release);
    why_down_ = why;
    socket_ = {};
    unsent_.clear();
    lost.swap(waiting_);
  }
  const std::string sentence = "cannot use Redis at " + options_.address.str() + ": " + why;
  for (Waiting& one : lost) {
    if (!one.done) continue;
    observe::guarded("failing a call to Redis", [&] {
      one.replies.resize(one.count, RedisReply::error(sentence));
      one.done(std::move(one.replies));
    });
  }
  if (listener_ != nullptr) observe::guarded("losing the link to Redis", [&] { listener_->link_down(why); });
}

}  // namespace sse::cluster
