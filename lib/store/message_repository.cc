#include "store/message_repository.h"

namespace sse::store {

std::vector<MessageId> next_ids(IdGenerator& ids, std::size_t count) {
  std::vector<MessageId> next;
  next.reserve(count);
  while (next.size() < count) next.emplace_back(ids.next());
  return next;
}

}  // namespace sse::store
