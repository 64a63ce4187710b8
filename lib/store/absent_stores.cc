#include "store/absent_stores.h"

#include "base/error.h"

namespace sse::store {
namespace {

[[noreturn]] void refuse_catalog() {
  throw Error(ErrorCode::kNotFound,
              "the repository of this program cannot list its messages (it is no MessageCatalog)");
}

}  // namespace

std::uint64_t AbsentStores::count(const MessageFilter& /*filter*/) {
  refuse_catalog();
}

std::vector<PendingMessage> AbsentStores::list(const MessageFilter& /*filter*/, std::uint64_t /*skip*/,
                                               std::size_t /*limit*/) {
  refuse_catalog();
}

std::vector<PendingMessage> AbsentStores::find(MessageId /*id*/) {
  refuse_catalog();
}

std::uint64_t AbsentStores::erase(MessageId /*id*/) {
  refuse_catalog();
}

std::uint64_t AbsentStores::purge(const MessageFilter& /*filter*/) {
  refuse_catalog();
}

std::vector<LetterOutcome> AbsentStores::add_dead(std::span<const DeadLetter> /*letters*/) {
  throw Error(ErrorCode::kNotFound, "the repository of this program has no dead letters");
}

}  // namespace sse::store
