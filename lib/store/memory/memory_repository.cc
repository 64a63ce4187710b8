#include "store/memory/memory_repository.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/step_count.h"
#include "observe/metrics.h"
#include "store/imported.h"

namespace sse::store {

MessageId MessageRepository::add(const NewMessage& message) {
  const AddOutcome outcome = add_all({&message, 1}).front();
  if (outcome.refusal) throw Error(outcome.refusal->code, outcome.refusal->sentence);
  return outcome.id;
}

std::vector<MessageId> next_ids(IdGenerator& ids, std::size_t count) {
  std::vector<MessageId> next;
  next.reserve(count);
  while (next.size() < count) next.emplace_back(ids.next());
  return next;
}

std::vector<AddOutcome> MemoryRepository::add_all(std::span<const NewMessage> messages) {
  std::vector<AddOutcome> outcomes(messages.size());
  MutexLock lock(mutex_);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    std::vector<MessageId> before = next_ids(ids_, messages[i].ids_before);
    try {
      store_message(messages[i], outcomes[i]);
    } catch (const Error& e) {
      outcomes[i].refusal = {e.code(), e.what()};
    }
    outcomes[i].before = std::move(before);
    outcomes[i].behind = next_ids(ids_, messages[i].ids_behind);
  }
  report();
  return outcomes;
}

void MemoryRepository::store_message(const NewMessage& message, AddOutcome& outcome, Payload data) {
  if (message.repeats.valid()) {
    outcome = {message.repeats, true, 1, {}};
    return;
  }
  if (known_key(message, outcome)) return;
  if (message.original.valid() && known_import(message, outcome)) return;
  Message stored{message.service,          message.target.kind, {},
                 message.target.listening, message.event,       data.empty() ? Payload(message.data) : std::move(data),
                 message.created,          message.expires,     message.collapse,
                 message.original};
  for (const std::string& name : message.target.names) stored.names.emplace(name, 0);
  if (stored.kind == event::TargetKind::kAll) stored.names = {{"", 0}};
  Usage total = total_;
  std::vector<std::pair<RecipientKey, MessageId>> replaced;
  for (const auto& [name, attempts] : stored.names) {
    const RecipientKey recipient{stored.service, stored.kind, name};
    const auto known = by_recipient_.find(recipient);
    Usage usage;
    if (known != by_recipient_.end()) {
      usage = {known->second.messages.size(), known->second.bytes};
      const auto same = known->second.collapsing.find(stored.collapse);
      if (!stored.collapse.empty() && same != known->second.collapsing.end()) {
        --usage.count;
        --total.count;
        usage.bytes -= messages_.at(same->second).data.size();
        replaced.emplace_back(recipient, same->second);
      }
    }
    require_room(limits_, {stored.kind, name}, usage, stored.data.size());
  }
  require_room(limits_, total, stored.names.size(), stored.data.size());
  for (const auto& [recipient, id] : replaced) withdraw(recipient, id, Withdrawn::Why::kReplaced);
  const MessageId id(ids_.next());
  for (const auto& [name, attempts] : stored.names) {
    Queue& queue = by_recipient_[{stored.service, stored.kind, name}];
    queue.messages.insert(id);
    queue.bytes += stored.data.size();
    if (!stored.collapse.empty()) queue.collapsing[stored.collapse] = id;
  }
  by_expiry_.emplace(stored.expires, id);
  if (!message.key.empty()) remember_key({message.service, message.key}, {id, message.expires});
  total_.count += stored.names.size();
  total_.bytes += stored.data.size();
  outcome = {id, false, stored.names.size(), {}};
  messages_.emplace(id, std::move(stored));
}

std::vector<MessageId> MemoryRepository::known_imports(std::span<const NewMessage> messages) {
  std::vector<MessageId> ids;
  ids.reserve(messages.size());
  const MutexLock lock(mutex_);
  for (const NewMessage& message : messages) {
    AddOutcome outcome;
    const bool known = known_key(message, outcome) || known_import(message, outcome);
    ids.push_back(known ? outcome.id : MessageId());
  }
  return ids;
}

bool MemoryRepository::known_key(const NewMessage& message, AddOutcome& outcome) {
  if (message.key.empty()) return false;
  const auto known = keys_.find({message.service, message.key});
  if (known == keys_.end() || known->second.expires <= message.created) return false;
  const auto first = messages_.find(known->second.id);
  outcome = {known->second.id, true, first == messages_.end() ? 0 : first->second.names.size(), {}};
  return true;
}

bool MemoryRepository::known_import(const NewMessage& message, AddOutcome& outcome) {
  const std::string name = message.target.names.empty() ? "" : message.target.names.front();
  const auto queue = by_recipient_.find({message.service, message.target.kind, name});
  if (queue == by_recipient_.end()) return false;
  MessageId known;
  if (queue->second.messages.contains(message.original)) known = message.original;
  const auto same = queue->second.collapsing.find(message.collapse);
  if (!message.collapse.empty() && same != queue->second.collapsing.end()) {
    const MessageId first = messages_.at(same->second).original;
    if ((first.valid() ? first : same->second) > message.original) known = same->second;
  }
  if (!known.valid()) return false;
  outcome = {known, true, messages_.at(known).names.size(), {}};
  return true;
}

std::vector<AddOutcome> MemoryRepository::add_in_order(std::span<const NewMessage> messages,
                                                       const std::function<void()>& committed) {
  const MutexLock in_order(answers_mutex_);
  std::vector<AddOutcome> outcomes = add_all(messages);
  committed();
  return outcomes;
}

bool MemoryRepository::add_async(NewMessage message, Added added) {
  const MutexLock in_order(answers_mutex_);
  std::vector<AddOutcome> outcomes = add_all({&message, 1});
  added(std::move(message), std::move(outcomes.front()));
  return true;
}

void MemoryRepository::confirm(const ServiceName& service, const Recipient& recipient, MessageId id) {
  MutexLock lock(mutex_);
  if (!drop({service, recipient.kind, recipient.name}, id)) return;
  const auto counter = confirmed_.find(service);
  if (counter != confirmed_.end() && counter->second != nullptr) counter->second->add();
}

bool MemoryRepository::count_confirmed(const ServiceName& service, observe::Counter* counter) {
  MutexLock lock(mutex_);
  confirmed_[service] = counter;
  return true;
}

// Removes the message for one recipient, and altogether when that was the last one.
bool MemoryRepository::drop(const RecipientKey& recipient, MessageId id) {
  const auto known = by_recipient_.find(recipient);
  if (known == by_recipient_.end() || known->second.messages.erase(id) == 0) return false;
  const auto found = messages_.find(id);
  Message& message = found->second;
  known->second.bytes -= message.data.size();
  const auto same = known->second.collapsing.find(message.collapse);
  if (same != known->second.collapsing.end() && same->second == id) known->second.collapsing.erase(same);
  if (known->second.messages.empty()) by_recipient_.erase(known);
  --total_.count;
  message.names.erase(std::get<2>(recipient));
  if (message.names.empty()) {
    by_expiry_.erase({message.expires, id});
    total_.bytes -= message.data.size();
    messages_.erase(found);
  }
  return true;
}

MessageRepository::Replaced MemoryRepository::replace_older(const ServiceName& service, const Recipient& recipient,
                                                            const std::string& collapse, MessageId than) {
  MutexLock lock(mutex_);
  const RecipientKey key{service, recipient.kind, recipient.name};
  const auto queue = by_recipient_.find(key);
  if (queue == by_recipient_.end()) return {};
  const auto same = queue->second.collapsing.find(collapse);
  if (same == queue->second.collapsing.end()) return {};
  const MessageId id = same->second;
  const MessageId original = messages_.at(id).original;
  const MessageId first = original.valid() ? original : id;
  if (first >= than) return {0, first > than ? first : MessageId()};
  withdraw(key, id, Withdrawn::Why::kReplaced);
  report();
  return {1, {}};
}

void MemoryRepository::withdraw(const RecipientKey& recipient, MessageId id, Withdrawn::Why why) {
  if (undo_ != nullptr) {
    const auto message = messages_.find(id);
    if (message != messages_.end() && message->second.names.contains(std::get<2>(recipient)))
      undo_->push_back({recipient, id, message->second});
  }
  if (!drop(recipient, id)) return;
  const auto& [service, kind, name] = recipient;
  withdrawn_.push_back({service, {kind, name}, id, why});
}

// Undoes withdraw(), and keeps what other recipients have changed meanwhile.
void MemoryRepository::restore(const Dropped& dropped) {
  const auto& [recipient, id, before] = dropped;
  const auto [message, fresh] = messages_.try_emplace(id, before);
  if (fresh) {
    message->second.names.clear();
    by_expiry_.emplace(before.expires, id);
    total_.bytes += before.data.size();
  }
  const std::string& name = std::get<2>(recipient);
  message->second.names.emplace(name, before.names.at(name));
  Queue& queue = by_recipient_[recipient];
  queue.messages.insert(id);
  queue.bytes += before.data.size();
  if (!before.collapse.empty()) queue.collapsing[before.collapse] = id;
  ++total_.count;
}

std::vector<PendingMessage> MemoryRepository::pending(const ServiceName& service, std::span<const Recipient> recipients,
                                                      MessageId after, std::size_t limit, ByteCount max_bytes,
                                                      WallTime now) {
  std::vector<PendingMessage> result;
  MutexLock lock(mutex_);
  std::vector<std::pair<MessageId, const Recipient*>> found;
  for (const Recipient& recipient : recipients) {
    const auto known = by_recipient_.find({service, recipient.kind, recipient.name});
    if (known == by_recipient_.end()) continue;
    const std::set<MessageId>& ids = known->second.messages;
    std::size_t taken = 0;
    for (auto id = ids.upper_bound(after); id != ids.end() && taken < limit; ++id) {
      if (messages_.at(*id).expires <= now) continue;
      found.emplace_back(*id, &recipient);
      ++taken;
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::uint64_t bytes = 0;
  for (const auto& [id, recipient] : found) {
    const bool same_message = !result.empty() && result.back().id == id;
    if (!same_message && !result.empty() && (result.size() >= limit || bytes >= max_bytes.count())) break;
    result.push_back(row(id, messages_.at(id), recipient->name, true));
    bytes += result.back().data_size;
  }
  return result;
}

std::uint64_t MemoryRepository::expire(WallTime now) {
  std::uint64_t pairs = 0;
  MutexLock lock(mutex_);
  while (!by_expiry_.empty() && by_expiry_.begin()->first <= now) {
    const auto message = messages_.find(by_expiry_.begin()->second);
    move_to_dead(message->first, message->second, now);
    pairs += erase_locked(message, Withdrawn::Why::kExpired);
  }
  report();
  while (!keys_by_expiry_.empty() && keys_by_expiry_.begin()->first <= now) {
    count_steps();
    keys_.erase(keys_by_expiry_.begin()->second);
    keys_by_expiry_.erase(keys_by_expiry_.begin());
  }
  return pairs;
}

void MemoryRepository::forget_key(const SentKey& name) {
  const auto known = keys_.find(name);
  if (known == keys_.end()) return;
  keys_by_expiry_.erase({known->second.expires, name});
  keys_.erase(known);
}

void MemoryRepository::remember_key(SentKey name, const Key& key) {
  const auto [known, fresh] = keys_.try_emplace(std::move(name), key);
  if (!fresh) keys_by_expiry_.erase({known->second.expires, known->first});
  known->second = key;
  keys_by_expiry_.emplace(key.expires, known->first);
}

void MemoryRepository::move_to_dead(MessageId id, const Message& message, WallTime now) {
  if (limits_.dead == 0 || message.data.size() > limits_.dead_bytes.count()) return;
  for (const auto& [name, attempts] : message.names) {
    while (!dead_.empty() && !has_room_for_letter(id, message.data)) {
      release_data(dead_.front().message);
      dead_.pop_front();
    }
    store_letter({row(id, message, name, true), now});
  }
}

MemoryRepository::DeadData* MemoryRepository::dead_data(MessageId id, const Payload& data) {
  const auto found = dead_data_.find(id);
  if (found == dead_data_.end()) return nullptr;
  const auto same = std::ranges::find_if(
      found->second, [&](const DeadData& one) { return one.data.shares(data) || one.data == data; });
  return same == found->second.end() ? nullptr : &*same;
}

bool MemoryRepository::has_room_for_letter(MessageId id, const Payload& data) {
  const std::uint64_t more = dead_data(id, data) != nullptr ? 0 : data.size();
  return dead_.size() < limits_.dead && dead_bytes_ + more <= limits_.dead_bytes.count();
}

void MemoryRepository::store_letter(DeadLetter letter) {
  PendingMessage& message = letter.message;
  message.data_size = message.data.size();
  DeadData* data = dead_data(message.id, message.data);
  if (data == nullptr) {
    data = &dead_data_[message.id].emplace_back(DeadData{message.data, 0});
    dead_bytes_ += message.data_size;
  }
  message.data = data->data;
  ++data->letters;
  dead_.push_back(std::move(letter));
}

void MemoryRepository::release_data(const PendingMessage& message) {
  DeadData* data = dead_data(message.id, message.data);
  if (--data->letters != 0) return;
  dead_bytes_ -= message.data_size;
  const auto all = dead_data_.find(message.id);
  all->second.erase(all->second.begin() + (data - all->second.data()));
  if (all->second.empty()) dead_data_.erase(all);
}

std::uint64_t MemoryRepository::size() const {
  MutexLock lock(mutex_);
  return total_.count;
}

std::uint64_t MemoryRepository::count(const MessageFilter& filter) {
  std::uint64_t n = 0;
  MutexLock lock(mutex_);
  if (matches_all(filter)) return total_.count;
  for (auto at = messages_.upper_bound(filter.after); at != messages_.end(); ++at) {
    count_steps();
    for (const auto& [name, attempts] : at->second.names) n += matches(filter, at->second, name) ? 1 : 0;
  }
  return n;
}

std::vector<PendingMessage> MemoryRepository::list(const MessageFilter& filter, std::uint64_t skip, std::size_t limit) {
  std::vector<PendingMessage> result;
  MutexLock lock(mutex_);
  for (auto at = messages_.upper_bound(filter.after); at != messages_.end(); ++at) {
    count_steps();
    const auto& [id, message] = *at;
    for (const auto& [name, attempts] : message.names) {
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
  for (const auto& [name, attempts] : found->second.names) result.push_back(row(id, found->second, name, true));
  return result;
}

std::uint64_t MemoryRepository::erase(MessageId id) {
  MutexLock lock(mutex_);
  const auto found = messages_.find(id);
  const std::uint64_t pairs = found == messages_.end() ? 0 : erase_locked(found, Withdrawn::Why::kDeleted);
  report();
  return pairs;
}

std::uint64_t MemoryRepository::purge(const MessageFilter& filter) {
  MutexLock lock(mutex_);
  std::vector<std::pair<RecipientKey, MessageId>> found;
  for (auto at = messages_.upper_bound(filter.after); at != messages_.end(); ++at) {
    const auto& [id, message] = *at;
    for (const auto& [name, attempts] : message.names) {
      if (matches(filter, message, name)) found.emplace_back(RecipientKey{message.service, message.kind, name}, id);
    }
  }
  for (const auto& [recipient, id] : found) withdraw(recipient, id, Withdrawn::Why::kDeleted);
  report();
  return found.size();
}

std::uint64_t MemoryRepository::erase_locked(Messages::iterator message, Withdrawn::Why why) {
  const MessageId id = message->first;
  std::vector<RecipientKey> recipients;
  for (const auto& [name, attempts] : message->second.names)
    recipients.emplace_back(message->second.service, message->second.kind, name);
  for (const RecipientKey& recipient : recipients) withdraw(recipient, id, why);
  return recipients.size();
}

void MemoryRepository::note_attempts(const ServiceName& service, std::span<const AttemptCount> attempts) {
  MutexLock lock(mutex_);
  for (const auto& [recipient, id, count] : attempts) {
    const auto found = messages_.find(id);
    if (found == messages_.end() || found->second.service != service || found->second.kind != recipient.kind) continue;
    const auto name = found->second.names.find(recipient.name);
    if (name != found->second.names.end()) name->second += count;
  }
}

PendingMessage MemoryRepository::row(MessageId id, const Message& message, const std::string& name, bool with_data) {
  PendingMessage row;
  row.id = id;
  row.service = message.service;
  row.recipient = {message.kind, name};
  row.listening = message.listening;
  row.event = message.event;
  if (with_data) row.data = message.data;
  row.data_size = message.data.size();
  row.created = message.created;
  row.expires = message.expires;
  row.collapse = message.collapse;
  if (with_data) row.original = message.original;
  row.attempts = message.names.at(name);
  return row;
}

bool MemoryRepository::matches_all(const MessageFilter& filter) {
  return filter.service.empty() && !filter.kind && filter.recipient.empty() && filter.event.empty() &&
         !filter.after.valid();
}

bool MemoryRepository::matches(const MessageFilter& filter, const ServiceName& service, const Recipient& recipient,
                               const std::string& event) {
  return (filter.service.empty() || filter.service == service) && (!filter.kind || *filter.kind == recipient.kind) &&
         (filter.recipient.empty() || filter.recipient == recipient.name) &&
         (filter.event.empty() || filter.event == event);
}

}  // namespace sse::store
