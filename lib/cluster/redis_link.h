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
#include "cluster/redis_address.h"
#include "cluster/redis_reply.h"

namespace sse::cluster {

struct RedisLinkOptions {
  RedisAddress address;
  std::string name = "sse-redis";  ///< of the thread, at most 15 characters, and of the connection in CLIENT LIST
  std::chrono::milliseconds connect_timeout{2000};
  std::chrono::milliseconds answer_timeout{2000};  ///< without an answer for so long the connection is given up
  std::chrono::milliseconds backoff_least{50};
  std::chrono::milliseconds backoff_most{2000};
  std::size_t most_unsent = std::size_t{64} << 20;  ///< bytes that may wait to be written
  const Clock* clock = &Clock::system();            ///< outlives the link
  RedisReader::Limits reply;                        ///< what one reply may be; with more the connection is given up
};

/// One connection to Redis that is made anew, with growing pauses, whenever it is lost, on a thread of its own. Many
/// callers share it: what they write goes out in one pipeline, directly from their threads, so that nobody waits for
/// the link's. Thread safe.
///
/// Every command ends, also when Redis is frozen or gone: with what Redis answered, or with an error reply whose text
/// says why there is none. A command whose connection broke may or may not have been carried out.
///
/// As a subscriber (Mode::kSubscriber) it takes write() only, and all that Redis says goes to the listener.
class RedisLink {
 public:
  enum class Mode { kCommands, kSubscriber };

  /// Called on the link's thread; must not block for long and must not call ask(). What it throws is noted and left
  /// behind.
  class Listener {
   public:
    virtual void link_up() {}
    /// While the link is up, a few times a second.
    virtual void link_tick() {}
    virtual void link_down(const std::string& /*why*/) {}
    /// What a subscriber was sent, as it was read.
    virtual void link_pushed(std::vector<RedisReply> /*pushes*/) {}  // NOLINT: others keep them

   protected:
    ~Listener() = default;
  };
  using Done = std::function<void(RedisReply)>;
  using AllDone = std::function<void(std::vector<RedisReply>)>;

  /// `listener`: may be null; outlives the link.
  RedisLink(RedisLinkOptions options, Mode mode, Listener* listener);
  ~RedisLink() { stop(); }
  RedisLink(const RedisLink&) = delete;
  RedisLink& operator=(const RedisLink&) = delete;

  void start();
  /// Ends what waits with errors and joins the thread. Idempotent.
  void stop() EXCLUDES(mutex_);

  bool up() const { return up_.load(std::memory_order_acquire); }
  /// Why there is no connection, one sentence; empty while there is.
  std::string why_down() const EXCLUDES(mutex_);
  /// Waits until the link is up. Throws Error(kUnavailable), or kPermissionDenied where Redis refused the login, after
  /// `patience`.
  void require_up(std::chrono::milliseconds patience) EXCLUDES(mutex_);

  /// Sends a command; `done`, which may be null, runs on the link's thread, or at once where the link is down.
  /// kCommands only.
  void call(const RedisCommand& command, Done done) EXCLUDES(mutex_);
  /// Several in one write, `count` of them, encoded by append_command(); `done` gets an answer for each, in their
  /// order, when the last is there.
  void call_all(std::string_view commands, std::size_t count, AllDone done) EXCLUDES(mutex_);
  /// Sends and waits; the one way to ask, so that an error is never taken for an empty answer. Throws Error as
  /// error_in(), also for an error that Redis answered to any of several commands. Not from the link's thread.
  RedisReply ask(const RedisCommand& command);
  std::vector<RedisReply> ask_all(const std::vector<RedisCommand>& commands);
  /// As ask(), but an error that Redis answered is returned: for who has something to do about it.
  RedisReply ask_unchecked(const RedisCommand& command);

  /// Whether this is no answer of Redis but says why there is none.
  static bool gave_no_answer(const RedisReply& reply);

  /// Sends commands that nobody waits for; dropped while the link is down (link_up tells when to say it all again).
  /// kSubscriber only.
  void write(const std::vector<RedisCommand>& commands) EXCLUDES(mutex_);

 private:
  struct Waiting {
    AllDone done;
    std::size_t count;
    std::vector<RedisReply> replies;
    SteadyTime deadline;
  };

  void run() EXCLUDES(mutex_);
  std::vector<RedisReply> wait_for_all(const std::vector<RedisCommand>& commands);
  /// Connected and logged in; else the reason.
  std::string connect(RedisReader& reader) EXCLUDES(mutex_);
  std::string dial(UniqueFd& socket) const;
  std::string log_in(int fd, RedisReader& reader) const;
  bool wait_for(int fd, short events, SteadyTime deadline) const;
  void take_kicks() const;
  /// Until the connection breaks; returns why.
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
  std::thread thread_;
  std::atomic<bool> up_{false};

  // Link thread only.
  SteadyTime heard_;
  SteadyTime pinged_;

  mutable Mutex mutex_;
  CondVar changed_;
  UniqueFd socket_ GUARDED_BY(mutex_);
  std::string unsent_ GUARDED_BY(mutex_);
  std::deque<Waiting> waiting_ GUARDED_BY(mutex_);
  std::string why_down_ GUARDED_BY(mutex_);
  bool refused_login_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;

  const std::shared_ptr<void> clock_moved_;  // last: it writes to wakeup_ until it is gone
};

/// The error in a reply as one of ours, in Redis' words and with what to do about it: kUnavailable where there was no
/// answer or Redis cannot answer now (BUSY, LOADING, …), kLimitExceeded where it has no memory left (OOM), else kIo.
Error error_in(const RedisReply& reply);

}  // namespace sse::cluster
