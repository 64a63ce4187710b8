#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/ids.h"

namespace sse::store {

/// The keys (NewMessage::key) of messages whose time to live lasts, in memory. Not thread safe.
class SentKeys {
 public:
  /// A key belongs to a service.
  using Name = std::pair<ServiceName, std::string>;

  /// The message with this key; invalid when there is none, or when its time is over at `now`.
  MessageId find(const Name& name, WallTime now) const;
  /// Replaces an older message with the same key.
  void remember(Name name, MessageId id, WallTime expires);
  void forget(const Name& name);
  /// Removes the keys whose time is over.
  void expire(WallTime now);

 private:
  struct Key {
    MessageId id;
    WallTime expires;
  };

  std::map<Name, Key> keys_;
  std::set<std::pair<WallTime, Name>> by_expiry_;
};

}  // namespace sse::store
