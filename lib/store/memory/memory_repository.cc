#include "store/memory/memory_repository.h"

#include <utility>

#include "base/error.h"
#include "observe/metrics.h"

namespace sse::store {

std::vector<AddOutcome> MemoryRepository::add_now(std::span<const NewMessage> messages) {
  std::vector<AddOutcome> outcomes(messages.size());
  const MutexLock lock(mutex_);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    std::vector<MessageId> before = next_ids(ids_, messages[i].ids_before);
    try {
      outcomes[i] = pending_.add(messages[i]);
    } catch (const Error& e) {
      outcomes[i].refusal = {e.code(), e.what()};
    }
    outcomes[i].before = std::move(before);
    outcomes[i].behind = next_ids(ids_, messages[i].ids_behind);
  }
  report();
  return outcomes;
}

std::vector<AddOutcome> MemoryRepository::add_in_order(std::span<const NewMessage> messages,
                                                       const std::function<void()>& committed) {
  const MutexLock in_order(answers_mutex_);
  std::vector<AddOutcome> outcomes = add_now(messages);
  if (committed) committed();
  return outcomes;
}

bool MemoryRepository::add_async(NewMessage message, Added added) {
  const MutexLock in_order(answers_mutex_);
  std::vector<AddOutcome> outcomes = add_now({&message, 1});
  added(std::move(message), std::move(outcomes.front()));
  return true;
}

void MemoryRepository::confirm(const ServiceName& service, const Recipient& recipient, MessageId id) {
  const MutexLock lock(mutex_);
  if (!pending_.confirm(service, recipient, id)) return;
  report();
  const auto counter = confirmed_.find(service);
  if (counter != confirmed_.end() && counter->second != nullptr) counter->second->add();
}

void MemoryRepository::count_confirmed(const ServiceName& service, observe::Counter* counter) {
  const MutexLock lock(mutex_);
  confirmed_[service] = counter;
}

std::vector<MessageId> MemoryRepository::known_imports(std::span<const NewMessage> messages) {
  std::vector<MessageId> ids;
  ids.reserve(messages.size());
  const MutexLock lock(mutex_);
  for (const NewMessage& message : messages) {
    AddOutcome outcome;
    ids.push_back(pending_.knows(message, outcome) ? outcome.id : MessageId());
  }
  return ids;
}

PartialStore::Replaced MemoryRepository::replace_older(const ServiceName& service, const Recipient& recipient,
                                                       const std::string& collapse, MessageId than) {
  const MutexLock lock(mutex_);
  const Replaced replaced = pending_.replace_older(service, recipient, collapse, than);
  report();
  return replaced;
}

std::vector<PendingMessage> MemoryRepository::pending(const ServiceName& service, std::span<const Recipient> recipients,
                                                      MessageId after, std::size_t limit, ByteCount max_bytes,
                                                      WallTime now) {
  const MutexLock lock(mutex_);
  return pending_.pending(service, recipients, after, limit, max_bytes, now);
}

std::uint64_t MemoryRepository::expire(WallTime now) {
  std::uint64_t pairs = 0;
  const MutexLock lock(mutex_);
  for (MessageId id = pending_.first_expired(now); id.valid(); id = pending_.first_expired(now)) {
    MemoryDeadLetters* const letters = &dead_;
    pairs += pending_.expire(
        id, [letters, now](PendingMessage message) { return letters->add_expired(std::move(message), now); });
  }
  report();
  pending_.expire_keys(now);
  return pairs;
}

void MemoryRepository::report() {
  withdrawals_.report(pending_.take_withdrawn());
  MadeReports made{pending_.take_reports()};
  made.dropped = outbox_.add(made.reports);
  waiting_reports_.store(outbox_.size(), std::memory_order_relaxed);
  report_listener_.report(made);
}

std::vector<StoredReport> MemoryRepository::claim_reports(std::size_t limit) {
  const MutexLock lock(mutex_);
  return outbox_.claim(limit);
}

void MemoryRepository::remove_reports(std::span<const std::uint64_t> numbers) {
  const MutexLock lock(mutex_);
  outbox_.remove(numbers);
  waiting_reports_.store(outbox_.size(), std::memory_order_relaxed);
}

std::uint64_t MemoryRepository::size() const {
  const MutexLock lock(mutex_);
  return pending_.size();
}

std::uint64_t MemoryRepository::count(const MessageFilter& filter) {
  const MutexLock lock(mutex_);
  return pending_.count(filter);
}

std::vector<PendingMessage> MemoryRepository::list(const MessageFilter& filter, std::uint64_t skip, std::size_t limit) {
  const MutexLock lock(mutex_);
  return pending_.list(filter, skip, limit);
}

std::vector<PendingMessage> MemoryRepository::find(MessageId id) {
  std::vector<PendingMessage> rows;
  const MutexLock lock(mutex_);
  pending_.for_each_recipient(id, [&rows](PendingMessage message) { rows.push_back(std::move(message)); });
  return rows;
}

std::uint64_t MemoryRepository::erase(MessageId id) {
  const MutexLock lock(mutex_);
  const std::uint64_t pairs = pending_.erase(id);
  report();
  return pairs;
}

std::uint64_t MemoryRepository::purge(const MessageFilter& filter) {
  const MutexLock lock(mutex_);
  const std::uint64_t pairs = pending_.purge(filter);
  report();
  return pairs;
}

void MemoryRepository::note_attempts(const ServiceName& service, std::span<const AttemptCount> attempts) {
  const MutexLock lock(mutex_);
  pending_.note_attempts(service, attempts);
}

std::uint64_t MemoryRepository::count_dead(const MessageFilter& filter) {
  const MutexLock lock(mutex_);
  return dead_.count(filter);
}

std::vector<DeadLetter> MemoryRepository::list_dead(const MessageFilter& filter, std::uint64_t skip,
                                                    std::size_t limit) {
  const MutexLock lock(mutex_);
  return dead_.list(filter, skip, limit);
}

std::vector<DeadLetter> MemoryRepository::page_dead(const MessageFilter& filter, std::size_t limit) {
  std::vector<DeadLetter> page;
  {
    const MutexLock lock(mutex_);
    page = dead_.younger(filter);
  }
  cut_page(page, limit, [](const DeadLetter& letter) { return letter.message.id; });
  return page;
}

std::vector<LetterOutcome> MemoryRepository::add_dead(std::span<const DeadLetter> letters) {
  const MutexLock lock(mutex_);
  const MemoryPending* const pending = &pending_;
  return dead_.add(letters, [pending](const NewMessage& import) {
    AddOutcome outcome;
    return pending->knows(import, outcome);
  });
}

std::vector<MessageId> MemoryRepository::requeue(MessageId id, const MessageFilter& filter, WallTime now) {
  const MutexLock lock(mutex_);
  std::vector<MessageId> ids = pending_.add_all_or_none(dead_.as_new_messages(id, filter, now));
  dead_.drop(id, filter);
  report();
  return ids;
}

std::uint64_t MemoryRepository::purge_dead(MessageId id, const MessageFilter& filter) {
  const MutexLock lock(mutex_);
  return dead_.drop(id, filter);
}

}  // namespace sse::store
