#include "delivery/memory_repository.h"

#include <algorithm>

#include "delivery/recipient_limit.h"

namespace sse::delivery {

MessageId MessageRepository::add(const NewMessage& message) {
  const AddOutcome outcome = add_all({&message, 1}).front();
  if (outcome.refusal) throw Error(outcome.refusal->code, outcome.refusal->sentence);
  return outcome.id;
}

std::vector<AddOutcome> MemoryRepository::add_all(std::span<const NewMessage> messages) {
  std::vector<AddOutcome> outcomes(messages.size());
  MutexLock lock(mutex_);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    try {
      outcomes[i].id = keep(messages[i]);
    } catch (const Error& e) {
      outcomes[i].refusal = {e.code(), e.what()};
    }
  }
  return outcomes;
}

MessageId MemoryRepository::keep(const NewMessage& message) {
  Message kept{
      message.service,          message.target.kind, {message.target.names.begin(), message.target.names.end()},
      message.target.listening, message.event,       message.data,
      message.created,          message.expires};
  if (kept.kind == event::TargetKind::kAll) kept.names = {""};
  for (const std::string& name : kept.names) {
    const auto known = by_recipient_.find({kept.service, kept.kind, name});
    if (known == by_recipient_.end() || known->second.size() < max_per_recipient_) continue;
    throw recipient_limit_reached({kept.kind, name}, known->second.size());
  }
  const MessageId id(ids_.next());
  for (const std::string& name : kept.names) by_recipient_[{kept.service, kept.kind, name}].insert(id);
  by_expiry_.emplace(kept.expires, id);
  size_ += kept.names.size();
  messages_.emplace(id, std::move(kept));
  return id;
}

void MemoryRepository::confirm(const ServiceName& service, const Recipient& recipient, MessageId id) {
  MutexLock lock(mutex_);
  const auto found = messages_.find(id);
  if (found == messages_.end()) return;
  Message& message = found->second;
  if (message.service != service || message.kind != recipient.kind || message.names.erase(recipient.name) == 0) return;
  forget({service, recipient.kind, recipient.name}, id);
  --size_;
  if (message.names.empty()) erase_locked(found);
}

std::vector<PendingMessage> MemoryRepository::pending(const ServiceName& service, std::span<const Recipient> recipients,
                                                      MessageId after, std::size_t limit, ByteCount most,
                                                      WallTime now) {
  std::vector<PendingMessage> result;
  MutexLock lock(mutex_);
  std::vector<std::pair<MessageId, const Recipient*>> found;
  for (const Recipient& recipient : recipients) {
    const auto known = by_recipient_.find({service, recipient.kind, recipient.name});
    if (known == by_recipient_.end()) continue;
    std::size_t taken = 0;
    for (auto id = known->second.upper_bound(after); id != known->second.end() && taken < limit; ++id) {
      if (messages_.at(*id).expires <= now) continue;
      found.emplace_back(*id, &recipient);
      ++taken;
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::uint64_t bytes = 0;
  for (const auto& [id, recipient] : found) {
    const bool same_message = !result.empty() && result.back().id == id;
    if (!same_message && !result.empty() && (result.size() >= limit || bytes >= most.count())) break;
    result.push_back(row(id, messages_.at(id), recipient->name, true));
    bytes += result.back().data_size;
  }
  return result;
}

std::uint64_t MemoryRepository::expire(WallTime now) {
  std::uint64_t pairs = 0;
  MutexLock lock(mutex_);
  while (!by_expiry_.empty() && by_expiry_.begin()->first <= now) {
    pairs += erase_locked(messages_.find(by_expiry_.begin()->second));
  }
  return pairs;
}

std::uint64_t MemoryRepository::size() const {
  MutexLock lock(mutex_);
  return size_;
}

std::uint64_t MemoryRepository::count(const MessageFilter& filter) {
  std::uint64_t n = 0;
  MutexLock lock(mutex_);
  for (const auto& [id, message] : messages_) {
    for (const std::string& name : message.names) n += matches(filter, message, name) ? 1 : 0;
  }
  return n;
}

std::vector<PendingMessage> MemoryRepository::list(const MessageFilter& filter, std::uint64_t skip, std::size_t limit) {
  std::vector<PendingMessage> result;
  MutexLock lock(mutex_);
  for (const auto& [id, message] : messages_) {
    for (const std::string& name : message.names) {
      if (result.size() == limit) return result;
      if (!matches(filter, message, name)) continue;
      if (skip > 0) {
        --skip;
      } else {
        result.push_back(row(id, message, name, false));
      }
    }
  }
  return result;
}

std::vector<PendingMessage> MemoryRepository::find(MessageId id) {
  std::vector<PendingMessage> result;
  MutexLock lock(mutex_);
  const auto found = messages_.find(id);
  if (found == messages_.end()) return result;
  for (const std::string& name : found->second.names) result.push_back(row(id, found->second, name, true));
  return result;
}

std::uint64_t MemoryRepository::erase(MessageId id) {
  MutexLock lock(mutex_);
  const auto found = messages_.find(id);
  return found == messages_.end() ? 0 : erase_locked(found);
}

std::uint64_t MemoryRepository::erase_locked(Messages::iterator message) {
  const Message& gone = message->second;
  const std::uint64_t pairs = gone.names.size();
  for (const std::string& name : gone.names) forget({gone.service, gone.kind, name}, message->first);
  by_expiry_.erase({gone.expires, message->first});
  size_ -= pairs;
  messages_.erase(message);
  return pairs;
}

void MemoryRepository::forget(const RecipientKey& recipient, MessageId id) {
  const auto known = by_recipient_.find(recipient);
  known->second.erase(id);
  if (known->second.empty()) by_recipient_.erase(known);
}

PendingMessage MemoryRepository::row(MessageId id, const Message& message, const std::string& name, bool with_data) {
  return {id,
          message.service,
          {message.kind, name},
          message.listening,
          message.event,
          with_data ? message.data : "",
          message.data.size(),
          message.created,
          message.expires};
}

bool MemoryRepository::matches(const MessageFilter& filter, const Message& message, const std::string& name) {
  return (filter.service.empty() || filter.service == message.service) &&
         (!filter.kind || *filter.kind == message.kind) && (filter.recipient.empty() || filter.recipient == name) &&
         (filter.event.empty() || filter.event == message.event);
}

}  // namespace sse::delivery
