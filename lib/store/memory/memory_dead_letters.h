#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "store/dead_letters.h"
#include "store/memory/memory_pending.h"
#include "store/message_repository.h"
#include "store/store_limits.h"

namespace sse::store {

/// The dead letters of MemoryRepository. The letters of one message share its data. Not thread safe.
class MemoryDeadLetters {
 public:
  /// `limits` must outlive this.
  explicit MemoryDeadLetters(const StoreLimits& limits) : limits_(limits) {}

  /// Stores an expired message of a recipient, and deletes the oldest letters if there is no room for it. Ignores
  /// messages that are larger than all letters may be: returns false.
  bool add_expired(PendingMessage message, WallTime now);
  /// As DeadLetters::add_dead(). `knows`: whether the store has that import pending, or its key.
  std::vector<LetterOutcome> add(std::span<const DeadLetter> letters,
                                 const std::function<bool(const NewMessage& import)>& knows);

  /// As DeadLetters.
  std::uint64_t count(const MessageFilter& filter) const;
  std::vector<DeadLetter> list(const MessageFilter& filter, std::uint64_t skip, std::size_t limit) const;
  /// The letters whose message id is greater than `filter.after`, in the order in which they died.
  std::vector<DeadLetter> younger(const MessageFilter& filter) const;
  /// Deletes the letters of a message, or with an invalid id all that match; returns how many.
  std::uint64_t drop(MessageId id, const MessageFilter& filter);
  /// The letters that drop() would delete, as new messages created at `now`. Of the letters with one collapse key only
  /// the youngest.
  std::vector<SharedMessage> as_new_messages(MessageId id, const MessageFilter& filter, WallTime now) const;

 private:
  /// Data shared by the letters of one message.
  struct Data {
    Payload data;
    std::uint64_t letters;
  };

  /// The entry for this data among the message's letters; null when there is none.
  Data* find_data(MessageId id, const Payload& data);
  bool has_room(MessageId id, const Payload& data);
  void store(DeadLetter letter);
  void release_data(const PendingMessage& message);

  const StoreLimits& limits_;
  std::deque<DeadLetter> letters_;  ///< oldest first
  std::map<MessageId, std::vector<Data>> data_;
  std::uint64_t bytes_ = 0;  ///< of data_
};

}  // namespace sse::store
