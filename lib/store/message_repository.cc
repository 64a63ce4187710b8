#include "store/message_repository.h"

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

}  // namespace sse::store
