#include "store/message_repository.h"

namespace sse::store {

std::vector<Recipient> recipients_of(const NewMessage& message) {
  if (message.target.kind == event::TargetKind::kAll) return {{message.target.kind, ""}};
  std::vector<Recipient> recipients;
  recipients.reserve(message.target.names.size());
  const auto add = [&](const event::Target& target) {
    for (const std::string& name : target.names) recipients.push_back({target.kind, name});
  };
  add(message.target);
  for (const event::Target& target : message.also) add(target);
  return recipients;
}

std::vector<MessageId> next_ids(IdGenerator& ids, std::size_t count) {
  std::vector<MessageId> next;
  next.reserve(count);
  while (next.size() < count) next.emplace_back(ids.next());
  return next;
}

}  // namespace sse::store
