#include "cluster/mesh/mesh_repository.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "cluster/core/topics.h"
#include "observe/log.h"

namespace sse::cluster {

using store::PendingMessage;
using store::Recipient;

namespace {

constexpr std::size_t kPage = 10'000;

}  // namespace

std::string pending_topic(const ServiceName& service, const Recipient& recipient) {
  return "pending:" + receiver_topic(service, recipient.kind, recipient.name);
}

// Shared with the callback that sets it, which may run after the waiting thread has returned.
class MeshRepository::Signal {
 public:
  void set() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    set_ = true;
    changed_.notify_all();
  }
  void wait(SteadyTime deadline, const Clock& clock) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    while (!set_ && changed_.wait_until(mutex_, deadline, clock)) {
    }
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool set_ GUARDED_BY(mutex_) = false;
};

MeshRepository::MeshRepository(Own own, Bus& bus, Interest& interest, Options options)
    : own_(own),
      partial_(store::ability<store::PartialStore>(own_.messages)),
      withdrawals_of_own_(store::ability<store::WithdrawalReports>(own_.messages)),
      bus_(bus),
      interest_(interest),
      options_(std::move(options)) {}

void MeshRepository::start() {
  wait(subscribe_for_all());
  refresh_other_nodes();
}

MeshRepository::Signals MeshRepository::subscribe_for_all() {
  Signals signals;
  store::MessageFilter filter;
  std::uint64_t skip = 0;
  for (;;) {
    const std::vector<PendingMessage> page = own_.catalog.list(filter, skip, kPage);
    Recipients recipients;
    for (const PendingMessage& message : page) recipients.emplace_back(message.service, message.recipient);
    for (auto& signal : subscribe_for(recipients)) signals.push_back(std::move(signal));
    if (page.size() < kPage) return signals;
    // The recipients of the last message may continue on the next page.
    const MessageId last(page.back().id.value() - 1);
    skip = page.front().id.value() > last.value() ? skip + kPage : 0;
    if (skip == 0) filter.after = last;
  }
}

MeshRepository::Signals MeshRepository::subscribe_for(const Recipients& recipients, bool adding) {
  Signals signals;
  std::vector<std::string> topics;
  const auto fresh = std::make_shared<Signal>();
  std::unordered_set<const Signal*> seen;
  const MutexLock lock(mutex_);
  for (const auto& [service, recipient] : recipients) {
    std::string topic = pending_topic(service, recipient);
    const auto [entry, is_new] = held_.try_emplace(topic, HeldMessages{service, recipient, 0, fresh});
    ++entry->second.added;
    if (adding) ++entry->second.underway;
    touch(topic);
    if (seen.insert(entry->second.known.get()).second) signals.push_back(entry->second.known);
    if (is_new) topics.push_back(std::move(topic));
  }
  // Under the lock, so that unsubscribe_unused() cannot release the topic in between.
  if (!topics.empty()) interest_.acquire(topics, [fresh] { fresh->set(); });
  return signals;
}

void MeshRepository::added(const Recipients& recipients) {
  for (const auto& [service, recipient] : recipients) {
    std::string topic = pending_topic(service, recipient);
    // Not locked over the whole loop, because event loops that confirm messages use the lock.
    const MutexLock lock(mutex_);
    --held_.at(topic).underway;
    // If the store refused the message, there may be none for the topic.
    touch(std::move(topic));
  }
}

void MeshRepository::wait(const Signals& signals) const {
  const SteadyTime deadline = options_.clock->steady_now() + options_.timeout;
  for (const auto& signal : signals) signal->wait(deadline, *options_.clock);
}

void MeshRepository::unsubscribe_unused() {
  std::unordered_map<std::string, int> look;
  {
    const MutexLock lock(mutex_);
    look.swap(touched_);
  }
  while (!look.empty()) {
    const auto next = look.extract(look.begin());
    const std::string& topic = next.key();
    HeldMessages held;
    {
      const MutexLock lock(mutex_);
      const auto found = held_.find(topic);
      if (found == held_.end()) continue;
      held = found->second;
    }
    if (held.underway != 0) continue;  // added() touches it again
    bool pending = false;
    try {
      pending =
          !own_.messages.pending(held.service, {&held.recipient, 1}, MessageId(), 1, ByteCount(1), WallTime::min())
               .empty();
    } catch (const Error&) {
      // Check these topics again the next time.
      const MutexLock lock(mutex_);
      touched_.insert(look.begin(), look.end());
      touched_.emplace(topic, next.mapped());
      throw;
    }
    const MutexLock lock(mutex_);
    if (pending) {
      if (next.mapped() > 1) touched_.emplace(topic, next.mapped() - 1);
      continue;
    }
    const auto found = held_.find(topic);
    // A message was added in the meantime.
    if (found == held_.end() || found->second.added != held.added) continue;
    held_.erase(found);
    interest_.release({topic});
  }
}

std::vector<store::AddOutcome> MeshRepository::add_in_order(std::span<const store::NewMessage> messages,
                                                            const std::function<void()>& committed) {
  std::vector<store::AddOutcome> outcomes = add_everywhere(messages);
  if (committed) committed();
  return outcomes;
}

std::vector<store::AddOutcome> MeshRepository::add_everywhere(std::span<const store::NewMessage> messages) {
  const bool imports =
      std::ranges::any_of(messages, [](const store::NewMessage& message) { return message.original.valid(); });
  if (!imports) return add_here(messages);
  const std::vector<MessageId> known = find_known_imports(messages);
  std::vector<store::NewMessage> marked(messages.begin(), messages.end());
  for (std::size_t i = 0; i < known.size(); ++i) marked[i].repeats = known[i];
  return add_here(marked);
}

std::vector<store::AddOutcome> MeshRepository::add_here(std::span<const store::NewMessage> messages) {
  Recipients recipients;
  for (const store::NewMessage& message : messages) {
    for (Recipient& recipient : store::recipients_of(message))
      recipients.push_back({message.service, std::move(recipient)});
  }
  // The subscription becomes known while the disk works.
  const Signals known = subscribe_for(recipients, true);
  std::vector<store::AddOutcome> outcomes;
  {
    // Called also if the store throws.
    const std::unique_ptr<const Recipients, std::function<void(const Recipients*)>> underway(
        &recipients, [this](const Recipients* these) { added(*these); });
    outcomes = own_.messages.add_all(messages);
  }
  wait(known);
  apply_newer_replacements(messages, outcomes);
  return outcomes;
}

// A message sent now is the newest, whatever the clocks say; an imported message or a dead letter may not be.
void MeshRepository::apply_newer_replacements(std::span<const store::NewMessage> messages,
                                              std::vector<store::AddOutcome>& outcomes) {
  std::vector<Collapsing> fresh;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const store::NewMessage& message = messages[i];
    if (message.collapse.empty() || outcomes[i].refusal || outcomes[i].repeated) continue;
    for (Recipient& recipient : store::recipients_of(message)) {
      fresh.push_back({message.service, std::move(recipient), message.collapse,
                       message.original.valid() ? message.original : outcomes[i].id, i});
    }
  }
  const std::vector<MessageId> newer = replace_older_everywhere(fresh);
  for (std::size_t k = 0; k < fresh.size(); ++k) {
    const Collapsing& one = fresh[k];
    if (!newer[k].valid() || !messages[one.number].original.valid()) continue;
    if (replace_here(one.service, one.recipient, one.collapse, newer[k]).count == 0) continue;
    outcomes[one.number].repeated = true;
    outcomes[one.number].pending = 0;
  }
}

void MeshRepository::report_withdrawn(const ServiceName& service, Withdraw withdraw) {
  if (withdrawals_of_own_ == nullptr) return;
  if (!withdraw) {
    withdrawals_of_own_->report_withdrawn(service, {});
    return;
  }
  withdrawals_of_own_->report_withdrawn(
      service, [this, withdraw = std::move(withdraw)](const std::vector<store::Withdrawn>& gone) {
        withdrawn(gone);
        withdraw(gone);
      });
}

void MeshRepository::withdrawn(const std::vector<store::Withdrawn>& gone) {
  for (const store::Withdrawn& one : gone) {
    std::string topic = pending_topic(one.service, one.recipient);
    const MutexLock lock(mutex_);
    ++withdrawn_;
    if (held_.contains(topic)) touch(std::move(topic));
  }
}

std::uint64_t MeshRepository::expire(WallTime now) {
  std::uint64_t before = 0;
  {
    const MutexLock lock(mutex_);
    before = withdrawn_;
  }
  const std::uint64_t expired = own_.messages.expire(now);
  {
    const MutexLock lock(mutex_);
    // Expiries in a service that is not served here are not reported.
    if (withdrawn_ - before < expired) {
      for (const auto& [topic, held] : held_) touch(topic);
    }
  }
  unsubscribe_unused();
  if (unannounced_.exchange(false)) {
    try {
      start();
    } catch (const Error&) {
      unannounced_ = true;
      throw;
    }
  }
  return expired;
}

std::vector<MessageId> MeshRepository::requeue(MessageId id, const store::MessageFilter& filter, WallTime now) {
  std::vector<MessageId> ids = own_.dead.requeue(id, filter, now);
  Recipients recipients;
  std::vector<Collapsing> fresh;
  try {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      for (const PendingMessage& message : own_.catalog.find(ids[i])) {
        recipients.emplace_back(message.service, message.recipient);
        if (!message.collapse.empty())
          fresh.push_back({message.service, message.recipient, message.collapse, first_id(message), i});
      }
    }
  } catch (const Error& e) {
    // They are requeued anyway.
    observe::log_error("other nodes do not know yet the recipients of requeued messages", {{"error", e.what()}});
    unannounced_ = true;
  }
  wait(subscribe_for(recipients));
  const std::vector<MessageId> newer = replace_older_everywhere(fresh);
  for (std::size_t k = 0; k < fresh.size(); ++k) {
    if (!newer[k].valid()) continue;
    const Collapsing& one = fresh[k];
    if (replace_here(one.service, one.recipient, one.collapse, newer[k]).count != 0) ids[one.number] = MessageId();
  }
  std::erase_if(ids, [](MessageId one) { return !one.valid(); });
  return ids;
}

std::size_t MeshRepository::held() const {
  const MutexLock lock(mutex_);
  return held_.size();
}

}  // namespace sse::cluster
