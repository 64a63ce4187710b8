#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace sse::hub {

/// The channels for which messages in flight on one stream are pending, where that is not its first channel alone. A
/// message that was sent to several channels of a stream reaches it once and is confirmed for all of them. Loop thread
/// only.
class ChannelRecipients {
 public:
  /// The message went into the stream, or would have, for this channel.
  void add(MessageId message, std::string_view channel);
  bool contains(MessageId message) const { return channels_.contains(message); }
  /// The channels of the message, which is forgotten; none: those that were not added.
  std::vector<std::string> take(MessageId message);
  void forget(MessageId message) { take(message); }

  bool empty() const { return channels_.empty(); }
  /// Approximate heap memory.
  std::size_t memory_bytes() const { return bytes_; }

 private:
  std::map<MessageId, std::vector<std::string>> channels_;
  std::size_t bytes_ = 0;
};

}  // namespace sse::hub
