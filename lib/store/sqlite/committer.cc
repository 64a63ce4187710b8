#include "store/sqlite/committer.h"

#include <pthread.h>

#include <algorithm>
#include <future>
#include <iterator>
#include <optional>
#include <utility>

#include "observe/barrier.h"
#include "observe/metrics.h"
#include "store/sqlite/sqlite_writer.h"
#include "store/sqlite/store_error.h"

namespace sse::store {
namespace {

// Confirmations per transaction at most: senders wait for its end.
constexpr std::size_t kConfirmationsPerBatch = 2048;
// Bytes that the jobs of one transaction write at most; the first job is always taken. The limit is lower when the
// first job is small, so that small messages do not wait for large ones.
constexpr std::uint64_t kCommitBytes = std::uint64_t{4} << 20;
constexpr std::uint64_t kSmallJob = std::uint64_t{64} << 10;
constexpr std::uint64_t kCommitBytesBehindSmall = std::uint64_t{1} << 20;
constexpr std::chrono::milliseconds kMaxRetryDelay{30'000};
constexpr std::chrono::milliseconds kMaxGatherTime{2};
// Free pages released in one step: senders that arrive meanwhile wait for its end.
constexpr int kPagesPerReclaim = 128;

// Measures the disk, so it uses the system clock even when options_.clock is a test clock.
const Clock& disk_clock() {
  return Clock::system();
}

}  // namespace

Committer::Committer(std::unique_ptr<SqliteWriter> writer, Options options)
    : options_(std::move(options)),
      clock_(*options_.clock),
      writer_(std::move(writer)),
      size_(writer_->size()),
      waiting_reports_(writer_->waiting_reports()),
      retry_in_(options_.retry),
      thread_([this] { run(); }) {}

Committer::~Committer() {
  stop();
  thread_.join();
}

void Committer::commit(const Work& work, std::uint64_t bytes, const std::function<void()>& committed) {
  // Not on this stack, which may be unwound before set_value() returns.
  const auto promise = std::make_shared<std::promise<Outcome>>();
  std::future<Outcome> outcome = promise->get_future();
  if (!commit_async([&work](SqliteWriter& writer) { work(writer); },
                    [promise, &committed](Outcome failure) {
                      if (!failure && committed) committed();
                      promise->set_value(std::move(failure));
                    },
                    bytes)) {
    throw Error(ErrorCode::kUnavailable, "the message store is shutting down; send again once the server is back");
  }
  if (const Outcome failure = outcome.get()) throw Error(failure->code, failure->sentence);
}

bool Committer::commit_async(Work work, std::function<void(Outcome)> done, std::uint64_t bytes) {
  MutexLock lock(mutex_);
  if (stopping_) return false;
  jobs_.push_back({std::move(work), std::move(done), bytes});
  job_bytes_ += bytes;
  if (jobs_.size() >= wanted_ || job_bytes_ >= kCommitBytesBehindSmall) changed_.notify_one();
  return true;
}

void Committer::confirm(const ServiceName& service, const Recipient& recipient, MessageId id) {
  enqueue({service, recipient, id});
}

void Committer::count_confirmed(const ServiceName& service, observe::Counter* counter) {
  MutexLock lock(mutex_);
  counters_[service] = counter;
}

void Committer::note_attempts(const ServiceName& service, std::span<const AttemptCount> attempts) {
  for (const AttemptCount& one : attempts) enqueue({service, one.recipient, one.id, one.attempts});
}

void Committer::enqueue(Confirmation confirmation) {
  MutexLock lock(mutex_);
  if (stopping_) return;
  if (confirmations_.size() >= options_.max_confirmations) {
    confirmations_.pop_front();
    ++overflowed_;
  }
  confirmations_.push_back(std::move(confirmation));
  if (confirmations_.size() == 1) changed_.notify_one();
}

void Committer::stop() {
  MutexLock lock(mutex_);
  stopping_ = true;
  changed_.notify_one();
}

void Committer::run() {
  pthread_setname_np(pthread_self(), "sse-committer");
  Batch batch;
  while (next(batch)) {
    observe::guarded("the message committer", [&] {
      if (batch.size() == 0) {
        reclaim();
      } else {
        write(std::exchange(batch, {}));
        // Only after the senders have their answers.
        writer_->checkpoint_if_due();
      }
    });
  }
  writer_.reset();
}

// Waits for work and takes it. An empty batch means that free pages may be released; false means that all work is done.
bool Committer::next(Batch& batch) {
  MutexLock lock(mutex_);
  while (!ready()) {
    const SteadyTime retry_at = confirmations_.empty() ? SteadyTime::max() : retry_at_;
    const SteadyTime wake_up = std::min(retry_at, reclaim_at_);
    if (wake_up == SteadyTime::max()) {
      changed_.wait(mutex_);
    } else {
      changed_.wait_until(mutex_, wake_up, clock_);
    }
  }
  if (!jobs_.empty()) gather();
  if (stopping_ && jobs_.empty() && confirmations_.empty()) return false;
  const auto last = jobs_.begin() + static_cast<std::ptrdiff_t>(jobs_per_commit());
  batch.jobs.assign(std::make_move_iterator(jobs_.begin()), std::make_move_iterator(last));
  jobs_.erase(jobs_.begin(), last);
  for (const Job& job : batch.jobs) job_bytes_ -= job.bytes;
  const auto end =
      confirmations_.begin() + static_cast<std::ptrdiff_t>(std::min(confirmations_.size(), kConfirmationsPerBatch));
  batch.confirmations.assign(std::make_move_iterator(confirmations_.begin()), std::make_move_iterator(end));
  confirmations_.erase(confirmations_.begin(), end);
  return true;
}

std::size_t Committer::jobs_per_commit() const {
  std::size_t jobs = 0;
  std::uint64_t bytes = 0;
  for (const Job& job : jobs_) {
    bytes += job.bytes;
    const bool small = jobs_.front().bytes <= kSmallJob;
    if (jobs > 0 && bytes > (small ? jobs_.front().bytes + kCommitBytesBehindSmall : kCommitBytes)) break;
    ++jobs;
  }
  return jobs;
}

bool Committer::ready() const {
  if (!jobs_.empty() || stopping_) return true;
  const SteadyTime now = clock_.steady_now();
  return now >= reclaim_at_ || (!confirmations_.empty() && now >= retry_at_);
}

// Senders that were just answered are likely to send again. Without waiting for them, batches alternate between one
// message and all others, which doubles the fsyncs.
void Committer::gather() {
  if (last_jobs_ < 2) return;
  const SteadyTime deadline =
      disk_clock().steady_now() + std::min<SteadyTime::duration>(last_write_ / 2, kMaxGatherTime);
  wanted_ = last_jobs_;
  while (jobs_.size() < wanted_ && job_bytes_ < kCommitBytesBehindSmall && !stopping_ &&
         changed_.wait_until(mutex_, deadline, disk_clock())) {
  }
  wanted_ = 1;
}

void Committer::write(Batch batch) {
  const SteadyTime started = disk_clock().steady_now();
  std::optional<StoreError> failure;
  try {
    attempt(batch);
  } catch (const StoreError& e) {
    failure = e;
  } catch (const std::exception& e) {
    // A defect, or out of memory: the waiting callers still get an answer.
    observe::note_exception("a transaction of the message store");
    failure.emplace(StoreError::Cause::kStatement, ErrorCode::kInternal,
                    std::string("cannot store a message: ") + e.what());
  }
  if (!failure) {
    succeed(std::move(batch), started);
    return;
  }
  writer_->rollback();
  if (failure->cause() == StoreError::Cause::kStatement && batch.size() > 1) {
    write_one_by_one(std::move(batch));
  } else {
    fail(std::move(batch), *failure);
  }
}

void Committer::attempt(Batch& batch) {
  writer_->begin();
  for (Job& job : batch.jobs) {
    job.refusal.reset();
    try {
      job.work(*writer_);
    } catch (const StoreError&) {
      throw;
    } catch (const Error& e) {
      job.refusal = Failure{e.code(), e.what()};
    } catch (const std::exception& e) {
      throw StoreError(StoreError::Cause::kStatement, ErrorCode::kInternal,
                       std::string("cannot store a message: ") + e.what());
    }
  }
  for (Confirmation& c : batch.confirmations) {
    if (c.attempts == 0) {
      c.removed = writer_->confirm(c.service, c.recipient, c.id);
    } else {
      writer_->note_attempts(c.service, c.recipient, c.id, c.attempts);
    }
  }
  writer_->commit();
}

void Committer::write_one_by_one(Batch batch) {
  for (Job& job : batch.jobs) {
    Batch one;
    one.jobs.push_back(std::move(job));
    write(std::move(one));
  }
  for (Confirmation& confirmation : batch.confirmations) {
    Batch one;
    one.confirmations.push_back(std::move(confirmation));
    write(std::move(one));
  }
}

void Committer::succeed(Batch batch, SteadyTime started) {
  failing_ = false;
  last_jobs_ = batch.jobs.size();
  last_write_ = disk_clock().steady_now() - started;
  // The counters before the size: a reader that sees the new size also sees the new counts.
  count(batch.confirmations);
  size_.store(writer_->size(), std::memory_order_release);
  if (std::vector<Withdrawn> gone = writer_->take_withdrawn(); !gone.empty() && options_.on_withdrawn)
    options_.on_withdrawn(std::move(gone));
  waiting_reports_.store(writer_->waiting_reports(), std::memory_order_relaxed);
  if (const MadeReports made = writer_->take_reports(); !made.empty() && options_.on_reports) options_.on_reports(made);
  for (Job& job : batch.jobs) observe::guarded("the answer to a sender", [&job] { job.done(std::move(job.refusal)); });
  MutexLock lock(mutex_);
  retry_at_ = {};
  retry_in_ = options_.retry;
  reclaim_at_ = clock_.steady_now() + options_.idle;
}

void Committer::count(const std::vector<Confirmation>& confirmations) {
  MutexLock lock(mutex_);
  for (const Confirmation& c : confirmations) {
    if (!c.removed) continue;
    const auto counter = counters_.find(c.service);
    if (counter != counters_.end() && counter->second != nullptr) counter->second->add();
  }
}

void Committer::fail(Batch batch, const StoreError& error) {
  last_jobs_ = 0;
  for (Job& job : batch.jobs)
    observe::guarded("the answer to a sender", [&] { job.done(Failure{error.code(), error.what()}); });
  if (batch.confirmations.empty()) return;
  if (error.cause() == StoreError::Cause::kStatement) {
    report(std::string(error.what()) + "; the message will be delivered again");
  } else {
    retain_for_retry(std::move(batch.confirmations), error.what());
  }
}

void Committer::retain_for_retry(std::vector<Confirmation> confirmations, const std::string& reason) {
  std::string sentence;
  {
    MutexLock lock(mutex_);
    confirmations_.insert(confirmations_.begin(), std::make_move_iterator(confirmations.begin()),
                          std::make_move_iterator(confirmations.end()));
    retry_at_ = clock_.steady_now() + retry_in_;
    retry_in_ = std::min(retry_in_ * 2, kMaxRetryDelay);
    const std::string count = std::to_string(confirmations_.size());
    if (stopping_) {
      sentence = reason + "; " + count + " confirmations are lost and their messages will be delivered again";
      confirmations_.clear();
    } else if (overflowed_ != 0) {
      sentence = reason + "; " + std::to_string(overflowed_) +
                 " confirmations did not fit into the queue and are lost; their messages will be delivered again";
      overflowed_ = 0;
    } else if (!failing_) {
      sentence = reason + "; " + count + " confirmations are queued until it works again";
    }
  }
  failing_ = true;
  if (!sentence.empty()) report(sentence);
}

void Committer::reclaim() {
  bool more = false;
  try {
    more = writer_->reclaim(kPagesPerReclaim);
  } catch (const StoreError& e) {
    report(e.what());
  }
  MutexLock lock(mutex_);
  reclaim_at_ = more ? clock_.steady_now() : SteadyTime::max();
}

void Committer::report(const std::string& sentence) const {
  if (options_.on_error) options_.on_error(sentence);
}

}  // namespace sse::store
