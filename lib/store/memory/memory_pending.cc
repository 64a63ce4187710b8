#include "store/memory/memory_pending.h"

#include <algorithm>

#include "base/step_count.h"
#include "store/imported.h"
#include "store/memory/filter_match.h"

namespace sse::store {

using Outcome = DeliveryReport::Outcome;

AddOutcome MemoryPending::store(const NewMessage& message, Payload data) {
  AddOutcome outcome;
  if (message.repeats.valid()) return {message.repeats, true, 1, {}};
  if (known_key(message, outcome)) return outcome;
  if (message.original.valid() && known_import(message, outcome)) return outcome;
  Message stored{message.service,
                 {},
                 message.target.listening,
                 message.event,
                 data.empty() ? Payload(message.data) : std::move(data),
                 message.created,
                 message.expires,
                 message.collapse,
                 message.original,
                 message.notify,
                 message.notify ? sender_key(message.key) : ""};
  for (Recipient& recipient : store::recipients_of(message))
    stored.recipients.emplace(KindAndName(recipient.kind, std::move(recipient.name)), 0);
  for (const auto& [recipient, id] : require_room_for(stored))
    withdraw(recipient, id, Withdrawn::Why::kReplaced, Outcome::kReplaced);
  const MessageId id(ids_.next());
  for (const auto& [recipient, attempts] : stored.recipients) {
    Queue& queue = by_recipient_[{stored.service, recipient.first, recipient.second}];
    queue.messages.insert(id);
    queue.bytes += stored.data.size();
    if (!stored.collapse.empty()) queue.collapsing[stored.collapse] = id;
  }
  by_expiry_.emplace(stored.expires, id);
  if (!message.key.empty()) keys_.remember({message.service, message.key}, id, message.expires);
  total_.count += stored.recipients.size();
  total_.bytes += stored.data.size();
  outcome = {id, false, stored.recipients.size(), {}};
  messages_.emplace(id, std::move(stored));
  return outcome;
}

// Checks the limits. Returns the messages that this one replaces.
MemoryPending::Replacements MemoryPending::require_room_for(const Message& message) const {
  Usage total = total_;
  Replacements replaced;
  for (const auto& [to, attempts] : message.recipients) {
    const RecipientKey recipient{message.service, to.first, to.second};
    const auto known = by_recipient_.find(recipient);
    Usage usage;
    if (known != by_recipient_.end()) {
      usage = {known->second.messages.size(), known->second.bytes};
      const auto same = known->second.collapsing.find(message.collapse);
      if (!message.collapse.empty() && same != known->second.collapsing.end()) {
        --usage.count;
        --total.count;
        usage.bytes -= messages_.at(same->second).data.size();
        replaced.emplace_back(recipient, same->second);
      }
    }
    require_room(limits_, {to.first, to.second}, usage, message.data.size());
  }
  require_room(limits_, total, message.recipients.size(), message.data.size());
  return replaced;
}

std::vector<MessageId> MemoryPending::add_all_or_none(const std::vector<SharedMessage>& messages) {
  std::vector<MessageId> ids;
  std::vector<SentKeys::Name> keys;
  std::vector<Dropped> replaced;
  const std::size_t withdrawn = withdrawn_.size();
  const std::size_t reports = reports_.size();
  undo_ = &replaced;
  try {
    for (const auto& [message, data] : messages) {
      const AddOutcome outcome = store(message, data);
      if (outcome.repeated) continue;
      ids.push_back(outcome.id);
      keys.emplace_back(message.service, message.key);
    }
  } catch (...) {
    undo_ = nullptr;
    for (const MessageId id : ids) erase(id);
    for (const SentKeys::Name& key : keys) keys_.forget(key);
    for (const Dropped& one : replaced) restore(one);
    withdrawn_.resize(withdrawn);
    reports_.resize(reports);
    throw;
  }
  undo_ = nullptr;
  return ids;
}

bool MemoryPending::knows(const NewMessage& message, AddOutcome& outcome) const {
  return known_key(message, outcome) || known_import(message, outcome);
}

bool MemoryPending::known_key(const NewMessage& message, AddOutcome& outcome) const {
  if (message.key.empty()) return false;
  const MessageId known = keys_.find({message.service, message.key}, message.created);
  if (!known.valid()) return false;
  const auto first = messages_.find(known);
  outcome = {known, true, first == messages_.end() ? 0 : first->second.recipients.size(), {}};
  return true;
}

bool MemoryPending::known_import(const NewMessage& message, AddOutcome& outcome) const {
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
  outcome = {known, true, messages_.at(known).recipients.size(), {}};
  return true;
}

bool MemoryPending::confirm(const ServiceName& service, const Recipient& recipient, MessageId id) {
  return drop({service, recipient.kind, recipient.name}, id, Outcome::kConfirmed);
}

PartialStore::Replaced MemoryPending::replace_older(const ServiceName& service, const Recipient& recipient,
                                                    const std::string& collapse, MessageId than) {
  const RecipientKey key{service, recipient.kind, recipient.name};
  const auto queue = by_recipient_.find(key);
  if (queue == by_recipient_.end()) return {};
  const auto same = queue->second.collapsing.find(collapse);
  if (same == queue->second.collapsing.end()) return {};
  const MessageId id = same->second;
  const MessageId original = messages_.at(id).original;
  const MessageId first = original.valid() ? original : id;
  if (first >= than) return {0, first > than ? first : MessageId()};
  withdraw(key, id, Withdrawn::Why::kReplaced, Outcome::kReplaced);
  return {1, {}};
}

std::vector<PendingMessage> MemoryPending::pending(const ServiceName& service, std::span<const Recipient> recipients,
                                                   MessageId after, std::size_t limit, ByteCount max_bytes,
                                                   WallTime now) const {
  std::vector<PendingMessage> result;
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
    result.push_back(row(id, messages_.at(id), {recipient->kind, recipient->name}, true));
    bytes += result.back().data_size;
  }
  return result;
}

void MemoryPending::note_attempts(const ServiceName& service, std::span<const AttemptCount> attempts) {
  for (const auto& [recipient, id, count] : attempts) {
    const auto found = messages_.find(id);
    if (found == messages_.end() || found->second.service != service) continue;
    const auto known = found->second.recipients.find({recipient.kind, recipient.name});
    if (known != found->second.recipients.end()) known->second += count;
  }
}

std::uint64_t MemoryPending::count(const MessageFilter& filter) const {
  std::uint64_t n = 0;
  if (matches_all(filter)) return total_.count;
  for (auto at = messages_.upper_bound(filter.after); at != messages_.end(); ++at) {
    count_steps();
    for (const auto& [to, attempts] : at->second.recipients)
      n += matches(filter, at->second.service, {to.first, to.second}, at->second.event) ? 1 : 0;
  }
  return n;
}

std::vector<PendingMessage> MemoryPending::list(const MessageFilter& filter, std::uint64_t skip,
                                                std::size_t limit) const {
  std::vector<PendingMessage> result;
  for (auto at = messages_.upper_bound(filter.after); at != messages_.end(); ++at) {
    count_steps();
    const auto& [id, message] = *at;
    for (const auto& [to, attempts] : message.recipients) {
      if (result.size() == limit) return result;
      if (!matches(filter, message.service, {to.first, to.second}, message.event)) continue;
      if (skip > 0) {
        --skip;
      } else {
        result.push_back(row(id, message, to, false));
      }
    }
  }
  return result;
}

std::uint64_t MemoryPending::purge(const MessageFilter& filter) {
  std::vector<std::pair<RecipientKey, MessageId>> found;
  for (auto at = messages_.upper_bound(filter.after); at != messages_.end(); ++at) {
    const auto& [id, message] = *at;
    for (const auto& [to, attempts] : message.recipients) {
      if (matches(filter, message.service, {to.first, to.second}, message.event))
        found.emplace_back(RecipientKey{message.service, to.first, to.second}, id);
    }
  }
  for (const auto& [recipient, id] : found) withdraw(recipient, id, Withdrawn::Why::kDeleted, Outcome::kDeleted);
  return found.size();
}

std::vector<MemoryPending::RecipientKey> MemoryPending::recipients_of(MessageId id) const {
  std::vector<RecipientKey> recipients;
  const auto message = messages_.find(id);
  if (message == messages_.end()) return recipients;
  for (const auto& [to, attempts] : message->second.recipients)
    recipients.emplace_back(message->second.service, to.first, to.second);
  return recipients;
}

std::uint64_t MemoryPending::erase(MessageId id) {
  const std::vector<RecipientKey> recipients = recipients_of(id);
  for (const RecipientKey& recipient : recipients) withdraw(recipient, id, Withdrawn::Why::kDeleted, Outcome::kDeleted);
  return recipients.size();
}

std::uint64_t MemoryPending::expire(MessageId id, const std::function<bool(PendingMessage)>& bury) {
  const std::vector<RecipientKey> recipients = recipients_of(id);
  for (const RecipientKey& recipient : recipients) {
    const bool dead = bury(row(id, messages_.at(id), {std::get<1>(recipient), std::get<2>(recipient)}, true));
    withdraw(recipient, id, Withdrawn::Why::kExpired, dead ? Outcome::kDead : Outcome::kExpired);
  }
  return recipients.size();
}

void MemoryPending::for_each_recipient(MessageId id, const std::function<void(PendingMessage)>& use) const {
  const auto message = messages_.find(id);
  if (message == messages_.end()) return;
  for (const auto& [to, attempts] : message->second.recipients) use(row(id, message->second, to, true));
}

MessageId MemoryPending::first_expired(WallTime now) const {
  const bool expired = !by_expiry_.empty() && by_expiry_.begin()->first <= now;
  return expired ? by_expiry_.begin()->second : MessageId();
}

// Removes the message for one recipient, and altogether when that was the last one.
bool MemoryPending::drop(const RecipientKey& recipient, MessageId id, Outcome outcome) {
  const auto known = by_recipient_.find(recipient);
  if (known == by_recipient_.end() || known->second.messages.erase(id) == 0) return false;
  const auto found = messages_.find(id);
  Message& message = found->second;
  if (message.notify)
    reports_.push_back(report_of(id, message, {std::get<1>(recipient), std::get<2>(recipient)}, outcome));
  known->second.bytes -= message.data.size();
  const auto same = known->second.collapsing.find(message.collapse);
  if (same != known->second.collapsing.end() && same->second == id) known->second.collapsing.erase(same);
  if (known->second.messages.empty()) by_recipient_.erase(known);
  --total_.count;
  message.recipients.erase({std::get<1>(recipient), std::get<2>(recipient)});
  if (message.recipients.empty()) {
    by_expiry_.erase({message.expires, id});
    total_.bytes -= message.data.size();
    messages_.erase(found);
  }
  return true;
}

DeliveryReport MemoryPending::report_of(MessageId id, const Message& message, const KindAndName& recipient,
                                        Outcome outcome) const {
  return {outcome,
          message.service,
          {recipient.first, recipient.second},
          id,
          message.original,
          message.event,
          message.key,
          message.created,
          ids_.clock().wall_now(),
          message.recipients.at(recipient)};
}

void MemoryPending::withdraw(const RecipientKey& recipient, MessageId id, Withdrawn::Why why, Outcome outcome) {
  const auto& [service, kind, name] = recipient;
  if (undo_ != nullptr) {
    const auto message = messages_.find(id);
    if (message != messages_.end() && message->second.recipients.contains({kind, name}))
      undo_->push_back({recipient, id, message->second});
  }
  if (!drop(recipient, id, outcome)) return;
  withdrawn_.push_back({service, {kind, name}, id, why});
}

// Undoes withdraw(), and keeps what other recipients have changed meanwhile.
void MemoryPending::restore(const Dropped& dropped) {
  const auto& [recipient, id, before] = dropped;
  const auto [message, fresh] = messages_.try_emplace(id, before);
  if (fresh) {
    message->second.recipients.clear();
    by_expiry_.emplace(before.expires, id);
    total_.bytes += before.data.size();
  }
  const KindAndName to(std::get<1>(recipient), std::get<2>(recipient));
  message->second.recipients.emplace(to, before.recipients.at(to));
  Queue& queue = by_recipient_[recipient];
  queue.messages.insert(id);
  queue.bytes += before.data.size();
  if (!before.collapse.empty()) queue.collapsing[before.collapse] = id;
  ++total_.count;
}

PendingMessage MemoryPending::row(MessageId id, const Message& message, const KindAndName& recipient, bool with_data) {
  PendingMessage row;
  row.id = id;
  row.service = message.service;
  row.recipient = {recipient.first, recipient.second};
  row.listening = message.listening;
  row.event = message.event;
  if (with_data) row.data = message.data;
  row.data_size = message.data.size();
  row.created = message.created;
  row.expires = message.expires;
  row.collapse = message.collapse;
  if (with_data) row.original = message.original;
  if (with_data) row.notify = message.notify;
  row.attempts = message.recipients.at(recipient);
  return row;
}

}  // namespace sse::store
