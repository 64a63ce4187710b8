#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "store/message_repository.h"

namespace sse::store {

/// A message that expired before its recipient confirmed it.
struct DeadLetter {
  PendingMessage message;
  WallTime died;
};

/// The result of storing a dead letter of another store.
enum class LetterOutcome : unsigned char {
  kStored,
  kKnown,         ///< the recipient already has the message with this first id, dead or pending
  kLimitReached,  ///< StoreLimits are reached; the existing letters stay
};

/// Messages that expired, stored up to StoreLimits::dead and dead_bytes so that an operator can inspect, requeue or
/// delete them. When the limit is reached, the oldest letters are deleted. Thread safe; blocks on the store.
class DeadLetters {
 public:
  virtual ~DeadLetters() = default;

  virtual std::uint64_t count_dead(const MessageFilter& filter) = 0;
  /// In the order in which they died; skips the first `skip`, returns at most `limit`, with data.
  virtual std::vector<DeadLetter> list_dead(const MessageFilter& filter, std::uint64_t skip, std::size_t limit) = 0;
  /// Letters whose message id is greater than `filter.after`, ascending by id, with data. Returns at most `limit`, but
  /// always all letters of one message together.
  virtual std::vector<DeadLetter> page_dead(const MessageFilter& filter, std::size_t limit) = 0;
  /// Stores letters of another store unchanged, in one commit, after the existing ones.
  virtual std::vector<LetterOutcome> add_dead(std::span<const DeadLetter> letters) = 0;
  /// Sends the dead letters of a message again, or with an invalid id all that match. Each becomes a new message for
  /// its one recipient, with its original time to live, at the end of that recipient's queue. In one commit. A letter
  /// with a collapse key is deleted instead when a younger message has that key, pending or dead. Returns the new ids
  /// in that order. Throws Error(kLimitExceeded) when there is no room; all letters stay dead then.
  virtual std::vector<MessageId> requeue(MessageId id, const MessageFilter& filter, WallTime now) = 0;
  /// Deletes the dead letters of a message, or with an invalid id all that match; returns how many.
  virtual std::uint64_t purge_dead(MessageId id, const MessageFilter& filter) = 0;
};

/// The identity of a dead letter: the first id of the message, and the recipient.
using DeadLetterKey = std::tuple<MessageId, ServiceName, event::TargetKind, std::string>;
inline DeadLetterKey name_of(const DeadLetter& letter) {
  const PendingMessage& m = letter.message;
  return {first_id(m), m.service, m.recipient.kind, m.recipient.name};
}

/// The letter's message as an import at the time it died, without data; used to check whether the store knows it.
NewMessage as_import(const DeadLetter& letter);

/// Pages as page_dead() does: sorts all letters and cuts them after the page. `id_of` returns the message id of a T.
template <class T, class IdOf>
void cut_page(std::vector<T>& letters, std::size_t limit, IdOf id_of) {
  std::ranges::stable_sort(letters, {}, id_of);
  std::size_t end = std::min(limit, letters.size());
  while (end > 0 && end < letters.size() && id_of(letters[end]) == id_of(letters[end - 1])) ++end;
  letters.erase(letters.begin() + static_cast<std::ptrdiff_t>(end), letters.end());
}

}  // namespace sse::store
