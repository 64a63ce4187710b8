#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/ids.h"
#include "store/dead_letters.h"
#include "store/message_repository.h"

namespace sse::store {

/// In the place of what a program's own repository does not implement: a catalog that says so, an empty list of dead
/// letters, and counts of attempts that are not stored. Thread safe.
class AbsentStores final : public MessageCatalog, public DeadLetters, public AttemptLog {
 public:
  // MessageCatalog: each throws Error(kNotFound).
  std::uint64_t count(const MessageFilter& filter) override;
  std::vector<PendingMessage> list(const MessageFilter& filter, std::uint64_t skip, std::size_t limit) override;
  std::vector<PendingMessage> find(MessageId id) override;
  std::uint64_t erase(MessageId id) override;
  std::uint64_t purge(const MessageFilter& filter) override;

  // DeadLetters: there are none.
  std::uint64_t count_dead(const MessageFilter& /*filter*/) override { return 0; }
  std::vector<DeadLetter> list_dead(const MessageFilter& /*filter*/, std::uint64_t /*skip*/,
                                    std::size_t /*limit*/) override {
    return {};
  }
  std::vector<DeadLetter> page_dead(const MessageFilter& /*filter*/, std::size_t /*limit*/) override { return {}; }
  /// Throws Error(kNotFound): they cannot be stored.
  std::vector<LetterOutcome> add_dead(std::span<const DeadLetter> letters) override;
  std::vector<MessageId> requeue(MessageId /*id*/, const MessageFilter& /*filter*/, WallTime /*now*/) override {
    return {};
  }
  std::uint64_t purge_dead(MessageId /*id*/, const MessageFilter& /*filter*/) override { return 0; }

  void note_attempts(const ServiceName& /*service*/, std::span<const AttemptCount> /*attempts*/) override {}
};

}  // namespace sse::store
