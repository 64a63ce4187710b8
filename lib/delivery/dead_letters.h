#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "delivery/message_repository.h"

namespace sse::delivery {

/// A message that expired before its recipient confirmed it.
struct DeadLetter {
  PendingMessage message;
  WallTime died;
};

/// What became of a dead letter that came from another store.
enum class LetterOutcome : unsigned char {
  kKept,
  kKnown,   ///< its recipient has the message with that first id, dead or pending
  kNoRoom,  ///< StoreLimits are reached: those there are stay
};

/// What became of messages that expired: kept, up to StoreLimits::dead and dead_bytes, so that somebody can look and
/// decide. The oldest make room. Thread safe, blocks on the store.
class DeadLetters {
 public:
  virtual ~DeadLetters() = default;

  virtual std::uint64_t count_dead(const MessageFilter& filter) = 0;
  /// In the order they died; `skip` left out first, at most `limit`; with data.
  virtual std::vector<DeadLetter> list_dead(const MessageFilter& filter, std::uint64_t skip, std::size_t limit) = 0;
  /// Those whose message's id is greater than `filter.after`, ascending by it, with data: at most `limit`, but all of
  /// one message together.
  virtual std::vector<DeadLetter> page_dead(const MessageFilter& filter, std::size_t limit) = 0;
  /// Keeps letters that another store has, as they are and in one commit, behind those there are.
  virtual std::vector<LetterOutcome> add_dead(std::span<const DeadLetter> letters) = 0;
  /// Sends the dead letters of a message, or with an invalid id all that match, once more: each becomes a new message
  /// for its one recipient, with the time to live it once had, at the end of that recipient's queue. In one commit.
  /// One that has a collapse key yields to a younger message with that key, pending or dead: it is forgotten. Returns
  /// the new ids in that order. Throws Error(kLimitExceeded) when there is no room; all stay dead then.
  virtual std::vector<MessageId> requeue(MessageId id, const MessageFilter& filter, WallTime now) = 0;
  /// Forgets the dead letters of a message, or with an invalid id all that match; returns how many.
  virtual std::uint64_t purge_dead(MessageId id, const MessageFilter& filter) = 0;
};

/// What tells dead letters apart: the first id of the message, and the recipient.
using LetterName = std::tuple<MessageId, ServiceName, event::TargetKind, std::string>;
inline LetterName name_of(const DeadLetter& letter) {
  const PendingMessage& m = letter.message;
  return {first_id(m), m.service, m.recipient.kind, m.recipient.name};
}

/// The letter's message as it would be imported at the time it died, to find out whether it is known; without data.
NewMessage as_import(const DeadLetter& letter);

/// As page_dead(): sorts all that are meant, and leaves out what is behind the page. `id_of`: of a message, from T.
template <class T, class IdOf>
void cut_page(std::vector<T>& letters, std::size_t limit, IdOf id_of) {
  std::ranges::stable_sort(letters, {}, id_of);
  std::size_t end = std::min(limit, letters.size());
  while (end > 0 && end < letters.size() && id_of(letters[end]) == id_of(letters[end - 1])) ++end;
  letters.erase(letters.begin() + static_cast<std::ptrdiff_t>(end), letters.end());
}

}  // namespace sse::delivery
