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
#include "delivery/message_repository.h"

namespace sse::delivery {

class SqliteWriter;
class StoreError;

/// The one thread that writes. Everything that has queued up while it was busy becomes one transaction (group commit):
/// an fsync costs the same for one message as for a hundred. Then all who wait are answered.
///
/// When a transaction fails for a reason of the disk or the file, all that waited for it get the error and nothing of
/// it is kept. When one write is to blame, the batch is repeated one by one and only the guilty one fails.
/// Confirmations nobody waits for are kept and tried again. All public methods are thread safe.
class Committer {
 public:
  struct Options {
    std::chrono::milliseconds idle{1000};        ///< after this long without work, free pages are given back
    std::chrono::milliseconds retry{1000};       ///< how soon failed confirmations are tried again, at first
    std::size_t most_confirmations = 1'000'000;  ///< kept while the disk fails; the oldest go first
    const Clock* clock = &Clock::system();       ///< outlives the committer
    /// Told, on the committer's thread, what nobody waits for: confirmations that could not be stored.
    std::function<void(const std::string&)> on_error;
    /// Told, on the committer's thread, what was withdrawn, before those who wait for it. May be empty.
    std::function<void(std::vector<Withdrawn>)> on_withdrawn;
  };
  /// Part of a transaction; may run more than once, each time after a rollback. An Error it throws that is no
  /// StoreError fails this work alone; it must then have changed nothing.
  using Work = std::function<void(SqliteWriter&)>;

  Committer(std::unique_ptr<SqliteWriter> writer, Options options);
  /// Commits what is queued, then closes the database. Confirmations that fail now are reported.
  ~Committer();
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  /// Runs `work` in the next transaction and returns once that is durable. Throws the Error that kept it from being
  /// so, kUnavailable after stop(). The queue is as long as there are threads that call. `bytes`: about what it writes;
  /// a transaction takes no more than so many together, because all in it wait for all. `committed`, which may be
  /// empty: told as `done` of commit_soon() when it is durable, before this returns.
  void commit(const Work& work, std::uint64_t bytes = 0, const std::function<void()>& committed = {}) EXCLUDES(mutex_);
  /// Why a work is not durable; nothing when it is.
  using Outcome = std::optional<AddOutcome::Refusal>;
  /// As commit(), without waiting: `done` is told on the committer's thread, in the order of the calls; must be quick,
  /// not throw, and not call commit(). False after stop(): then neither is called. Who calls bounds the queue.
  bool commit_soon(Work work, std::function<void(Outcome)> done, std::uint64_t bytes = 0) EXCLUDES(mutex_);
  /// Queues a confirmation; never blocks on the disk.
  void confirm(const ServiceName& service, const Recipient& recipient, MessageId id) EXCLUDES(mutex_);
  /// As MessageRepository: who counts the confirmations of a service, null for nobody.
  void count_confirmed(const ServiceName& service, observe::Counter* counter) EXCLUDES(mutex_);
  /// As confirm(): counts deliveries of a message that stays pending.
  void note_attempts(const ServiceName& service, std::span<const Attempted> attempts) EXCLUDES(mutex_);
  /// From now on commit() throws; what is queued is still written. Idempotent.
  void stop() EXCLUDES(mutex_);

  /// Committed (message, recipient) pairs.
  std::uint64_t size() const { return size_.load(std::memory_order_acquire); }

 private:
  // Not an exception_ptr: its text would be shared between two threads that free it.
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
    std::uint32_t attempts = 0;  ///< not 0: no confirmation, but so many deliveries
    bool removed = false;        ///< by the transaction that is under way
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
  std::size_t jobs_of_a_commit() const REQUIRES(mutex_);
  void write(Batch batch);
  void attempt(Batch& batch);
  void write_one_by_one(Batch batch);
  void succeed(Batch batch, SteadyTime started) EXCLUDES(mutex_);
  void count(const std::vector<Confirmation>& confirmations) EXCLUDES(mutex_);
  void fail(Batch batch, const StoreError& error);
  void keep_for_retry(std::vector<Confirmation> confirmations, const std::string& reason) EXCLUDES(mutex_);
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

  Mutex mutex_;
  CondVar changed_;
  std::deque<Job> jobs_ GUARDED_BY(mutex_);
  std::uint64_t job_bytes_ GUARDED_BY(mutex_) = 0;  ///< of jobs_
  std::deque<Confirmation> confirmations_ GUARDED_BY(mutex_);
  std::size_t wanted_ GUARDED_BY(mutex_) = 1;  ///< so many jobs are worth a wake-up
  SteadyTime retry_at_ GUARDED_BY(mutex_);     ///< confirmations alone do not start a transaction before
  SteadyTime reclaim_at_ GUARDED_BY(mutex_) = SteadyTime::max();
  std::chrono::milliseconds retry_in_ GUARDED_BY(mutex_);
  std::uint64_t overflowed_ GUARDED_BY(mutex_) = 0;  ///< confirmations dropped and not yet reported
  std::map<ServiceName, observe::Counter*> counters_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;

  std::thread thread_;  ///< last: it uses all of the above
};

}  // namespace sse::delivery
