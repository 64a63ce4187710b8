#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/mutex.h"
#include "cluster/redis/redis_address.h"
#include "cluster/redis/redis_reply.h"
#include "cluster/redis/redis_socket.h"

namespace sse::cluster {

struct RedisLinkOptions {
  RedisAddress address;
  RedisTls tls;                    ///< with RedisAddress::tls
  std::string name = "sse-redis";  ///< name of the thread, at most 15 characters, and of the connection in CLIENT LIST
  std::chrono::milliseconds connect_timeout{2000};
  std::chrono::milliseconds answer_timeout{2000};  ///< the connection is closed if a reply takes longer
  std::chrono::milliseconds backoff_least{50};
  std::chrono::milliseconds backoff_most{2000};
  /// Sent with the login; `on_greeting` receives the reply, on the link's thread, before any other command is sent.
  RedisCommand greeting{};
  std::function<void(const RedisReply&)> on_greeting{};
  std::size_t max_unsent = std::size_t{64} << 20;  ///< maximum bytes that wait to be written
  const Clock* clock = &Clock::system();           ///< must outlive the link
  RedisReader::Limits reply;                       ///< maximum for one reply; the connection is closed beyond it
};

/// A connection to Redis that reconnects, with exponential backoff, on its own thread. Many callers share it: they
/// write their commands directly to the socket, as one pipeline, without waiting for the link's thread. Thread safe.
///
/// With sentinels it connects to the primary that they name, and closes the connection when they name another one.
///
/// Every command completes, also when Redis is frozen or unreachable: with the reply of Redis, or with an error reply
/// whose text is the reason. If the connection breaks, a command may or may not have been executed.
///
/// A subscriber (Mode::kSubscriber) supports only write(), and all messages of Redis go to the listener.
class RedisLink {
 public:
  enum class Mode { kCommands, kSubscriber };

  /// Called on the link's thread; must not block for long and must not call ask(). Exceptions are logged and ignored.
  class Listener {
   public:
    virtual void link_up() {}
    /// Called a few times a second while the link is up.
    virtual void link_tick() {}
    virtual void link_down(const std::string& /*why*/) {}
    /// The messages to a subscriber, in the batches in which they were read.
    virtual void link_pushed(std::vector<RedisReply> /*pushes*/) {}  // NOLINT: others keep them

   protected:
    ~Listener() = default;
  };
  using Done = std::function<void(RedisReply)>;
  using AllDone = std::function<void(std::vector<RedisReply>)>;

  /// `listener` may be null; it must outlive the link.
  RedisLink(RedisLinkOptions options, Mode mode, Listener* listener);
  ~RedisLink() { stop(); }
  RedisLink(const RedisLink&) = delete;
  RedisLink& operator=(const RedisLink&) = delete;

  void start();
  /// Completes pending commands with errors and joins the thread. Idempotent.
  void stop() EXCLUDES(mutex_);

  bool up() const { return up_.load(std::memory_order_acquire); }
  /// Why there is no connection, one sentence; empty while there is one.
  std::string why_down() const EXCLUDES(mutex_);
  /// Waits until the link is up. After `timeout` throws Error(kUnavailable), or kPermissionDenied if Redis refused the
  /// login.
  void require_up(std::chrono::milliseconds timeout) EXCLUDES(mutex_);

  /// Sends a command; `done`, which may be null, runs on the link's thread, or immediately if the link is down.
  /// kCommands only.
  void call(const RedisCommand& command, Done done) EXCLUDES(mutex_);
  /// Sends `count` commands, encoded by append_command(), in one write; when the last reply has arrived, `done`
  /// receives the replies to all, in their order.
  void call_all(std::string_view commands, std::size_t count, AllDone done) EXCLUDES(mutex_);
  /// Sends a command and waits. Throws Error as error_in() for an error reply, to any of several commands, so that an
  /// error is never mistaken for an empty reply. Must not be called on the link's thread.
  RedisReply execute(const RedisCommand& command);
  std::vector<RedisReply> execute_all(const std::vector<RedisCommand>& commands);
  /// As ask(), but returns an error reply of Redis, for callers that handle it.
  RedisReply execute_unchecked(const RedisCommand& command);

  /// Whether this is not a reply of Redis but the reason why there is none.
  static bool is_no_reply(const RedisReply& reply);

  /// Sends commands without waiting for replies; dropped while the link is down (send them again in link_up()).
  /// kSubscriber only.
  void write(const std::vector<RedisCommand>& commands) EXCLUDES(mutex_);

 private:
  struct Waiting {
    AllDone done;
    std::size_t count;
    std::vector<RedisReply> replies;
    SteadyTime deadline;
  };

  using Host = std::pair<std::string, std::uint16_t>;

  void run() EXCLUDES(mutex_);
  std::vector<RedisReply> wait_for_all(const std::vector<RedisCommand>& commands);
  /// Connects and logs in; returns the reason if that fails.
  std::string connect(RedisReader& reader) EXCLUDES(mutex_);
  std::string dial(net::Socket& socket) EXCLUDES(mutex_);
  std::string dial_host(const Host& host, net::Socket& socket, const UniqueFd& wakeup) const;
  std::string dial_path(net::Socket& socket) const;
  std::string finish_connect(int fd, int error, const UniqueFd& wakeup) const;
  std::string shake_hands(const std::string& host, net::Socket& socket, const UniqueFd& wakeup) const;
  RedisCommand login() const;
  std::string log_in(net::Socket& socket, RedisReader& reader) const;
  std::string exchange(net::Socket& socket, RedisReader& reader, const std::vector<RedisCommand>& commands,
                       std::vector<RedisReply>& replies, const UniqueFd& wakeup) const;
  bool wait_for(int fd, short events, SteadyTime deadline, const UniqueFd& wakeup) const;
  /// What the first sentinel that answers says; returns the reason if none knows the primary.
  std::string find_primary(Host& primary, const UniqueFd& wakeup) const;
  std::string ask_sentinel(const Host& sentinel, Host& primary, const UniqueFd& wakeup) const;
  /// Ends the connection when the sentinels name another primary.
  void watch_primary() EXCLUDES(mutex_);
  static void take_kicks(const UniqueFd& wakeup);
  /// Serves the connection until it breaks; returns the reason.
  std::string serve(RedisReader& reader) EXCLUDES(mutex_);
  std::string read_some(RedisReader& reader) EXCLUDES(mutex_);
  std::string take(std::vector<RedisReply> replies) EXCLUDES(mutex_);
  std::string watch_silence() EXCLUDES(mutex_);
  void lose(const std::string& why) EXCLUDES(mutex_);
  void rest(std::chrono::milliseconds pause) EXCLUDES(mutex_);
  bool stopping() const EXCLUDES(mutex_);
  std::string flush() REQUIRES(mutex_);
  void kick() const;

  const RedisLinkOptions options_;
  const Clock& clock_;
  const Mode mode_;
  Listener* const listener_;
  const UniqueFd wakeup_;
  const UniqueFd watch_wakeup_;  // of watcher_
  std::thread thread_;
  std::thread watcher_;  // with sentinels
  std::atomic<bool> up_{false};

  // Link thread only.
  SteadyTime heard_;
  SteadyTime pinged_;

  mutable Mutex mutex_;
  CondVar changed_;
  net::Socket socket_ GUARDED_BY(mutex_);
  Host primary_ GUARDED_BY(mutex_);        // that the sentinels named for this connection
  bool moved_ GUARDED_BY(mutex_) = false;  // they name another one
  std::string unsent_ GUARDED_BY(mutex_);
  std::deque<Waiting> waiting_ GUARDED_BY(mutex_);
  std::string why_down_ GUARDED_BY(mutex_);
  bool refused_login_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;

  const std::shared_ptr<void> clock_moved_;  // last member: it writes to wakeup_ until it is destroyed
};

/// Converts an error reply to an Error with the text of Redis and advice: kUnavailable if there was no reply or Redis
/// cannot reply now (BUSY, LOADING, …), kLimitExceeded if it is out of memory (OOM), else kIo.
Error error_in(const RedisReply& reply);

}  // namespace sse::cluster
