#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/mutex.h"
#include "store/message_repository.h"
#include "store/outbox.h"

namespace sse::observe {
class Counter;
}

namespace sse::store {

class SqliteWriter;
class StoreError;

/// The single thread that writes to the database. All work queued while it was busy becomes one transaction (group
/// commit), because an fsync costs the same for one message as for a hundred. Then all waiting callers get their
/// answers.
///
/// When a transaction fails because of the disk or the file, all its callers get the error and nothing of it is stored.
/// When one write is at fault, the batch is repeated one write at a time and only that write fails. Failed
/// confirmations, which no caller waits for, are retained and retried. All public methods are thread safe.
class Committer {
 public:
  struct Options {
    std::chrono::milliseconds idle{1000};       ///< free pages are released after this long without work
    std::chrono::milliseconds retry{1000};      ///< first delay before failed confirmations are retried
    std::size_t max_confirmations = 1'000'000;  ///< retained while the disk fails; the oldest are dropped first
    const Clock* clock = &Clock::system();      ///< outlives the committer
    /// Called on the committer's thread when confirmations, which no caller waits for, could not be stored.
    std::function<void(const std::string&)> on_error;
    /// Called on the committer's thread with withdrawn messages, before the waiting callers are answered. May be empty.
    std::function<void(std::vector<Withdrawn>)> on_withdrawn;
    /// Likewise with delivery reports. May be empty.
    std::function<void(const MadeReports&)> on_reports{};
  };
  /// Part of a transaction; may run more than once, each time after a rollback. An Error other than StoreError fails
  /// this work alone; the work must then have changed nothing.
  using Work = std::function<void(SqliteWriter&)>;

  Committer(std::unique_ptr<SqliteWriter> writer, Options options);
  /// Commits the queued work, then closes the database. Confirmations that fail now are reported.
  ~Committer();
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  /// Runs `work` in the next transaction and returns once it is durable. Throws the Error that prevented this,
  /// kUnavailable after stop(). The number of calling threads bounds the queue. `bytes`: about how much it writes; a
  /// transaction has a byte limit, because all callers in it wait for all of it. `committed`, which may be empty, is
  /// called like `done` of commit_async() once the work is durable, before this returns.
  void commit(const Work& work, std::uint64_t bytes = 0, const std::function<void()>& committed = {}) EXCLUDES(mutex_);
  /// Why work is not durable; nothing when it is.
  using Outcome = std::optional<AddOutcome::Refusal>;
  /// As commit(), without waiting: `done` is called on the committer's thread, in the order of the calls; it must be
  /// quick, not throw, and not call commit(). False after stop(); neither is called then. The caller must bound the
  /// queue.
  bool commit_async(Work work, std::function<void(Outcome)> done, std::uint64_t bytes = 0) EXCLUDES(mutex_);
  /// Queues a confirmation; never blocks on the disk.
  void confirm(const ServiceName& service, const Recipient& recipient, MessageId id) EXCLUDES(mutex_);
  /// As MessageRepository: sets the counter of a service's confirmations; null stops counting.
  void count_confirmed(const ServiceName& service, observe::Counter* counter) EXCLUDES(mutex_);
  /// As confirm(): counts deliveries of a message that stays pending.
  void note_attempts(const ServiceName& service, std::span<const AttemptCount> attempts) EXCLUDES(mutex_);
  /// From now on commit() throws; queued work is still written. Idempotent.
  void stop() EXCLUDES(mutex_);

  /// Committed (message, recipient) pairs.
  std::uint64_t size() const { return size_.load(std::memory_order_acquire); }
  /// Committed delivery reports in the outbox.
  std::uint64_t waiting_reports() const { return waiting_reports_.load(std::memory_order_relaxed); }

 private:
  // Not an exception_ptr: two threads would share its text and free it.
  using Failure = AddOutcome::Refusal;
  struct Job {
    Work work;
    std::function<void(Outcome)> done;
    std::uint64_t bytes = 0;
    Outcome refusal{};
  };
  struct Confirmation {
    ServiceName service;
    Recipient recipient;
    MessageId id;
    std::uint32_t attempts = 0;  ///< not 0: counts this many deliveries instead of confirming
    bool removed = false;        ///< by the transaction in progress
  };
  struct Batch {
    std::vector<Job> jobs;
    std::vector<Confirmation> confirmations;

    std::size_t size() const { return jobs.size() + confirmations.size(); }
  };

  void run();
  void enqueue(Confirmation confirmation) EXCLUDES(mutex_);
  bool next(Batch& batch) EXCLUDES(mutex_);
  bool ready() const REQUIRES(mutex_);
  void gather() REQUIRES(mutex_);
  std::size_t jobs_per_commit() const REQUIRES(mutex_);
  void write(Batch batch);
  void attempt(Batch& batch);
  void write_one_by_one(Batch batch);
  void succeed(Batch batch, SteadyTime started) EXCLUDES(mutex_);
  void count(const std::vector<Confirmation>& confirmations) EXCLUDES(mutex_);
  void fail(Batch batch, const StoreError& error);
  void retain_for_retry(std::vector<Confirmation> confirmations, const std::string& reason) EXCLUDES(mutex_);
  void reclaim() EXCLUDES(mutex_);
  void report(const std::string& sentence) const;

  // Constant after construction.
  const Options options_;
  const Clock& clock_;

  // Committer thread only.
  std::unique_ptr<SqliteWriter> writer_;
  SteadyTime::duration last_write_{};
  std::size_t last_jobs_ = 0;
  bool failing_ = false;

  std::atomic<std::uint64_t> size_;
  std::atomic<std::uint64_t> waiting_reports_;

  Mutex mutex_;
  CondVar changed_;
  std::deque<Job> jobs_ GUARDED_BY(mutex_);
  std::uint64_t job_bytes_ GUARDED_BY(mutex_) = 0;  ///< of jobs_
  std::deque<Confirmation> confirmations_ GUARDED_BY(mutex_);
  std::size_t wanted_ GUARDED_BY(mutex_) = 1;  ///< number of jobs that is worth a wake-up
  SteadyTime retry_at_ GUARDED_BY(mutex_);     ///< until then, confirmations alone do not start a transaction
  SteadyTime reclaim_at_ GUARDED_BY(mutex_) = SteadyTime::max();
  std::chrono::milliseconds retry_in_ GUARDED_BY(mutex_);
  std::uint64_t overflowed_ GUARDED_BY(mutex_) = 0;  ///< confirmations dropped and not yet reported
  std::map<ServiceName, observe::Counter*> counters_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;

  std::thread thread_;  ///< last: it uses all of the above
};

}  // namespace sse::store
