#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "event/target.h"
#include "hub/names.h"

namespace sse::hub {

/// The recipients for which messages in flight on one stream are pending, where the kind of the frame does not tell
/// them: channels, if not only the first one of the stream, and user and token of one message. A message that was sent
/// to several of a stream's names reaches it once and is confirmed for all of them. Loop thread only.
class MessageRecipients {
 public:
  /// The message went into the stream, or would have, for this recipient.
  void add(MessageId message, event::TargetKind kind, std::string_view name);
  bool contains(MessageId message) const { return recipients_.contains(message); }
  /// The recipients of the message, which is forgotten; none: those that were not added.
  Names take(MessageId message);
  void forget(MessageId message) { take(message); }

  bool empty() const { return recipients_.empty(); }
  /// Approximate heap memory.
  std::size_t memory_bytes() const { return bytes_; }

 private:
  std::map<MessageId, Names> recipients_;
  std::size_t bytes_ = 0;
};

}  // namespace sse::hub
