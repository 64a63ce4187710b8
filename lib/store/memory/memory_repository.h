#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/mutex.h"
#include "store/dead_letters.h"
#include "store/memory/memory_dead_letters.h"
#include "store/memory/memory_outbox.h"
#include "store/memory/memory_pending.h"
#include "store/message_repository.h"
#include "store/outbox.h"
#include "store/repository_abilities.h"
#include "store/store_limits.h"
#include "store/withdrawals.h"

namespace sse::store {

/// The in-memory store of pending messages (`--db :memory:`); they are lost when the process ends. Thread safe, and
/// blocks only on its mutexes, so that every thread may call it.
class MemoryRepository final : public MessageRepository,
                               public MessageCatalog,
                               public DeadLetters,
                               public AttemptLog,
                               public AsyncAdd,
                               public WithdrawalReports,
                               public ConfirmationCounter,
                               public PartialStore,
                               public Outbox {
 public:
  /// `ids` must outlive this.
  explicit MemoryRepository(IdGenerator& ids, const StoreLimits& limits = {}) : limits_(limits), ids_(ids) {}

  bool stores_unions() const override { return true; }
  std::vector<AddOutcome> add_in_order(std::span<const NewMessage> messages,
                                       const std::function<void()>& committed) override
      EXCLUDES(mutex_, answers_mutex_);
  bool add_async(NewMessage message, Added added) override EXCLUDES(mutex_, answers_mutex_);
  void confirm(const ServiceName& service, const Recipient& recipient, MessageId id) override EXCLUDES(mutex_);
  void count_confirmed(const ServiceName& service, observe::Counter* counter) override EXCLUDES(mutex_);
  std::vector<MessageId> known_imports(std::span<const NewMessage> messages) override EXCLUDES(mutex_);
  Replaced replace_older(const ServiceName& service, const Recipient& recipient, const std::string& collapse,
                         MessageId than) override EXCLUDES(mutex_);
  void report_withdrawn(const ServiceName& service, Withdraw withdraw) override {
    withdrawals_.set(service, std::move(withdraw));
  }
  std::vector<PendingMessage> pending(const ServiceName& service, std::span<const Recipient> recipients,
                                      MessageId after, std::size_t limit, ByteCount max_bytes, WallTime now) override
      EXCLUDES(mutex_);
  std::uint64_t expire(WallTime now) override EXCLUDES(mutex_);
  std::uint64_t size() const override EXCLUDES(mutex_);

  std::uint64_t count(const MessageFilter& filter) override EXCLUDES(mutex_);
  std::vector<PendingMessage> list(const MessageFilter& filter, std::uint64_t skip, std::size_t limit) override
      EXCLUDES(mutex_);
  std::vector<PendingMessage> find(MessageId id) override EXCLUDES(mutex_);
  std::uint64_t erase(MessageId id) override EXCLUDES(mutex_);
  std::uint64_t purge(const MessageFilter& filter) override EXCLUDES(mutex_);

  std::uint64_t count_dead(const MessageFilter& filter) override EXCLUDES(mutex_);
  std::vector<DeadLetter> list_dead(const MessageFilter& filter, std::uint64_t skip, std::size_t limit) override
      EXCLUDES(mutex_);
  std::vector<DeadLetter> page_dead(const MessageFilter& filter, std::size_t limit) override EXCLUDES(mutex_);
  std::vector<LetterOutcome> add_dead(std::span<const DeadLetter> letters) override EXCLUDES(mutex_);
  std::vector<MessageId> requeue(MessageId id, const MessageFilter& filter, WallTime now) override EXCLUDES(mutex_);
  std::uint64_t purge_dead(MessageId id, const MessageFilter& filter) override EXCLUDES(mutex_);

  void note_attempts(const ServiceName& service, std::span<const AttemptCount> attempts) override EXCLUDES(mutex_);

  void listen_to_reports(Reported reported) override { report_listener_.set(std::move(reported)); }
  std::vector<StoredReport> claim_reports(std::size_t limit) override EXCLUDES(mutex_);
  void renew_claims(std::span<const std::uint64_t> /*numbers*/) override {}
  void remove_reports(std::span<const std::uint64_t> numbers) override EXCLUDES(mutex_);
  std::uint64_t waiting_reports() const override { return waiting_reports_.load(std::memory_order_relaxed); }

 private:
  std::vector<AddOutcome> add_now(std::span<const NewMessage> messages) EXCLUDES(mutex_);
  void report() REQUIRES(mutex_);

  // Constant after construction.
  const StoreLimits limits_;
  IdGenerator& ids_;

  Mutex answers_mutex_;  ///< held until the result has been passed on, so that this happens in the order of the ids
  mutable Mutex mutex_;
  MemoryPending pending_ GUARDED_BY(mutex_){limits_, ids_};
  MemoryDeadLetters dead_ GUARDED_BY(mutex_){limits_};
  MemoryOutbox outbox_ GUARDED_BY(mutex_){limits_};
  std::map<ServiceName, observe::Counter*> confirmed_ GUARDED_BY(mutex_);

  Withdrawals withdrawals_;
  ReportListener report_listener_;
  std::atomic<std::uint64_t> waiting_reports_{0};
};

}  // namespace sse::store
