#include "store/memory/memory_dead_letters.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "store/imported.h"
#include "store/memory/filter_match.h"

namespace sse::store {
namespace {

bool selects(MessageId id, const MessageFilter& filter, const DeadLetter& letter) {
  const PendingMessage& m = letter.message;
  return (!id.valid() || m.id == id) && (!filter.message.valid() || m.id == filter.message) &&
         matches(filter, m.service, m.recipient, m.event);
}

bool is_older(const DeadLetter& letter, const DeadLetter& other) {
  return first_id(letter.message) < first_id(other.message);
}

using CollapseKey = std::tuple<ServiceName, event::TargetKind, std::string, std::string>;

CollapseKey collapse_key_of(const PendingMessage& m) {
  return {m.service, m.recipient.kind, m.recipient.name, m.collapse};
}

SharedMessage as_new_message(const PendingMessage& m, WallTime now) {
  NewMessage again{m.service, {m.recipient.kind, {}, m.listening}, m.event, {}, now, now + (m.expires - m.created)};
  if (m.recipient.kind != event::TargetKind::kAll) again.target.names.push_back(m.recipient.name);
  again.collapse = m.collapse;
  again.original = first_id(m);
  again.key = import_key(again.original, m.recipient);
  again.notify = m.notify;
  return {std::move(again), m.data};
}

}  // namespace

bool MemoryDeadLetters::add_expired(PendingMessage message, WallTime now) {
  if (limits_.dead == 0 || message.data.size() > limits_.dead_bytes.count()) return false;
  while (!letters_.empty() && !has_room(message.id, message.data)) {
    release_data(letters_.front().message);
    letters_.pop_front();
  }
  store({std::move(message), now});
  return true;
}

std::vector<LetterOutcome> MemoryDeadLetters::add(std::span<const DeadLetter> letters,
                                                  const std::function<bool(const NewMessage& import)>& knows) {
  std::vector<LetterOutcome> outcomes;
  outcomes.reserve(letters.size());
  std::set<DeadLetterKey> known;
  for (const DeadLetter& letter : letters_) known.insert(name_of(letter));
  for (const DeadLetter& letter : letters) {
    if (known.contains(name_of(letter)) || knows(as_import(letter))) {
      outcomes.push_back(LetterOutcome::kKnown);
    } else if (!has_room(letter.message.id, letter.message.data)) {
      outcomes.push_back(LetterOutcome::kLimitReached);
    } else {
      known.insert(name_of(letter));
      store(letter);
      outcomes.push_back(LetterOutcome::kStored);
    }
  }
  return outcomes;
}

std::uint64_t MemoryDeadLetters::count(const MessageFilter& filter) const {
  return static_cast<std::uint64_t>(
      std::ranges::count_if(letters_, [&](const DeadLetter& letter) { return selects({}, filter, letter); }));
}

std::vector<DeadLetter> MemoryDeadLetters::list(const MessageFilter& filter, std::uint64_t skip,
                                                std::size_t limit) const {
  std::vector<DeadLetter> result;
  for (const DeadLetter& letter : letters_) {
    if (result.size() == limit) break;
    if (!selects({}, filter, letter)) continue;
    if (skip > 0) {
      --skip;
    } else {
      result.push_back(letter);
    }
  }
  return result;
}

std::vector<DeadLetter> MemoryDeadLetters::younger(const MessageFilter& filter) const {
  std::vector<DeadLetter> found;
  for (const DeadLetter& letter : letters_) {
    if (letter.message.id > filter.after && selects({}, filter, letter)) found.push_back(letter);
  }
  return found;
}

std::uint64_t MemoryDeadLetters::drop(MessageId id, const MessageFilter& filter) {
  std::uint64_t count = 0;
  for (const DeadLetter& letter : letters_) {
    if (!selects(id, filter, letter)) continue;
    release_data(letter.message);
    ++count;
  }
  std::erase_if(letters_, [&](const DeadLetter& letter) { return selects(id, filter, letter); });
  return count;
}

std::vector<SharedMessage> MemoryDeadLetters::as_new_messages(MessageId id, const MessageFilter& filter,
                                                              WallTime now) const {
  std::map<CollapseKey, const DeadLetter*> youngest;
  for (const DeadLetter& letter : letters_) {
    if (letter.message.collapse.empty() || !selects(id, filter, letter)) continue;
    const DeadLetter*& stored = youngest[collapse_key_of(letter.message)];
    if (stored == nullptr || is_older(*stored, letter)) stored = &letter;
  }
  std::vector<SharedMessage> messages;
  for (const DeadLetter& letter : letters_) {
    if (!selects(id, filter, letter)) continue;
    if (!letter.message.collapse.empty() && youngest.at(collapse_key_of(letter.message)) != &letter) continue;
    messages.push_back(as_new_message(letter.message, now));
  }
  return messages;
}

MemoryDeadLetters::Data* MemoryDeadLetters::find_data(MessageId id, const Payload& data) {
  const auto found = data_.find(id);
  if (found == data_.end()) return nullptr;
  const auto same =
      std::ranges::find_if(found->second, [&](const Data& one) { return one.data.shares(data) || one.data == data; });
  return same == found->second.end() ? nullptr : &*same;
}

bool MemoryDeadLetters::has_room(MessageId id, const Payload& data) {
  const std::uint64_t more = find_data(id, data) != nullptr ? 0 : data.size();
  return letters_.size() < limits_.dead && bytes_ + more <= limits_.dead_bytes.count();
}

void MemoryDeadLetters::store(DeadLetter letter) {
  PendingMessage& message = letter.message;
  message.data_size = message.data.size();
  Data* data = find_data(message.id, message.data);
  if (data == nullptr) {
    data = &data_[message.id].emplace_back(Data{message.data, 0});
    bytes_ += message.data_size;
  }
  message.data = data->data;
  ++data->letters;
  letters_.push_back(std::move(letter));
}

void MemoryDeadLetters::release_data(const PendingMessage& message) {
  Data* data = find_data(message.id, message.data);
  if (--data->letters != 0) return;
  bytes_ -= message.data_size;
  const auto all = data_.find(message.id);
  all->second.erase(all->second.begin() + (data - all->second.data()));
  if (all->second.empty()) data_.erase(all);
}

}  // namespace sse::store
