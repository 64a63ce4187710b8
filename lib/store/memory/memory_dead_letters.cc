// The dead letters of the in-memory repository.
#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "store/imported.h"
#include "store/memory/memory_repository.h"

namespace sse::store {

std::uint64_t MemoryRepository::count_dead(const MessageFilter& filter) {
  MutexLock lock(mutex_);
  return static_cast<std::uint64_t>(
      std::ranges::count_if(dead_, [&](const DeadLetter& letter) { return matches({}, filter, letter); }));
}

std::vector<DeadLetter> MemoryRepository::list_dead(const MessageFilter& filter, std::uint64_t skip,
                                                    std::size_t limit) {
  std::vector<DeadLetter> result;
  MutexLock lock(mutex_);
  for (const DeadLetter& letter : dead_) {
    if (result.size() == limit) break;
    if (!matches({}, filter, letter)) continue;
    if (skip > 0) {
      --skip;
    } else {
      result.push_back(letter);
    }
  }
  return result;
}

std::vector<DeadLetter> MemoryRepository::page_dead(const MessageFilter& filter, std::size_t limit) {
  std::vector<DeadLetter> page;
  {
    const MutexLock lock(mutex_);
    for (const DeadLetter& letter : dead_) {
      if (letter.message.id > filter.after && matches({}, filter, letter)) page.push_back(letter);
    }
  }
  cut_page(page, limit, [](const DeadLetter& letter) { return letter.message.id; });
  return page;
}

std::vector<LetterOutcome> MemoryRepository::add_dead(std::span<const DeadLetter> letters) {
  std::vector<LetterOutcome> outcomes;
  outcomes.reserve(letters.size());
  const MutexLock lock(mutex_);
  std::set<DeadLetterKey> known;
  for (const DeadLetter& letter : dead_) known.insert(name_of(letter));
  for (const DeadLetter& letter : letters) {
    const NewMessage import = as_import(letter);
    AddOutcome outcome;
    if (known.contains(name_of(letter)) || known_key(import, outcome) || known_import(import, outcome)) {
      outcomes.push_back(LetterOutcome::kKnown);
    } else if (!has_room_for_letter(letter.message.id, letter.message.data)) {
      outcomes.push_back(LetterOutcome::kLimitReached);
    } else {
      known.insert(name_of(letter));
      store_letter(letter);
      outcomes.push_back(LetterOutcome::kStored);
    }
  }
  return outcomes;
}

std::vector<MessageId> MemoryRepository::requeue(MessageId id, const MessageFilter& filter, WallTime now) {
  MutexLock lock(mutex_);
  // Of the letters with one collapse key, only the youngest is sent again.
  using CollapseKey = std::tuple<ServiceName, event::TargetKind, std::string, std::string>;
  std::map<CollapseKey, const DeadLetter*> youngest;
  const auto key_of = [](const PendingMessage& m) {
    return CollapseKey{m.service, m.recipient.kind, m.recipient.name, m.collapse};
  };
  for (const DeadLetter& letter : dead_) {
    if (letter.message.collapse.empty() || !matches(id, filter, letter)) continue;
    const DeadLetter*& stored = youngest[key_of(letter.message)];
    if (stored == nullptr || is_older(*stored, letter)) stored = &letter;
  }
  std::vector<MessageId> ids;
  std::vector<SentKey> keys;
  std::vector<Dropped> replaced;
  undo_ = &replaced;
  try {
    for (const DeadLetter& letter : dead_) {
      if (!matches(id, filter, letter)) continue;
      const PendingMessage& m = letter.message;
      if (!m.collapse.empty() && youngest.at(key_of(m)) != &letter) continue;
      NewMessage again{m.service, {m.recipient.kind, {}, m.listening}, m.event, {}, now, now + (m.expires - m.created)};
      if (m.recipient.kind != event::TargetKind::kAll) again.target.names.push_back(m.recipient.name);
      again.collapse = m.collapse;
      again.original = first_id(m);
      again.key = import_key(again.original, m.recipient);
      AddOutcome outcome;
      store_message(again, outcome, m.data);
      if (outcome.repeated) continue;
      ids.push_back(outcome.id);
      keys.emplace_back(again.service, std::move(again.key));
    }
  } catch (...) {
    undo_ = nullptr;
    for (const MessageId stored : ids) erase_locked(messages_.find(stored), Withdrawn::Why::kDeleted);
    for (const SentKey& key : keys) forget_key(key);
    // Messages that a letter had replaced are pending as before; nothing of this was reported.
    for (const Dropped& one : replaced) restore(one);
    withdrawn_.clear();
    throw;
  }
  undo_ = nullptr;
  drop_dead(id, filter);
  report();
  return ids;
}

bool MemoryRepository::is_older(const DeadLetter& letter, const DeadLetter& other) {
  return first_id(letter.message) < first_id(other.message);
}

std::uint64_t MemoryRepository::purge_dead(MessageId id, const MessageFilter& filter) {
  MutexLock lock(mutex_);
  return drop_dead(id, filter);
}

std::uint64_t MemoryRepository::drop_dead(MessageId id, const MessageFilter& filter) {
  std::uint64_t count = 0;
  for (const DeadLetter& letter : dead_) {
    if (!matches(id, filter, letter)) continue;
    release_data(letter.message);
    ++count;
  }
  std::erase_if(dead_, [&](const DeadLetter& letter) { return matches(id, filter, letter); });
  return count;
}

}  // namespace sse::store
