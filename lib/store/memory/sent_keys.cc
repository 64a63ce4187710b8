#include "store/memory/sent_keys.h"

#include "base/step_count.h"

namespace sse::store {

MessageId SentKeys::find(const Name& name, WallTime now) const {
  const auto known = keys_.find(name);
  return known == keys_.end() || known->second.expires <= now ? MessageId() : known->second.id;
}

void SentKeys::remember(Name name, MessageId id, WallTime expires) {
  const auto [known, fresh] = keys_.try_emplace(std::move(name), Key{id, expires});
  if (!fresh) by_expiry_.erase({known->second.expires, known->first});
  known->second = {id, expires};
  by_expiry_.emplace(expires, known->first);
}

void SentKeys::forget(const Name& name) {
  const auto known = keys_.find(name);
  if (known == keys_.end()) return;
  by_expiry_.erase({known->second.expires, name});
  keys_.erase(known);
}

void SentKeys::expire(WallTime now) {
  while (!by_expiry_.empty() && by_expiry_.begin()->first <= now) {
    count_steps();
    keys_.erase(by_expiry_.begin()->second);
    by_expiry_.erase(by_expiry_.begin());
  }
}

}  // namespace sse::store
