#include "hub/channel_recipients.h"

#include <algorithm>
#include <utility>

namespace sse::hub {
namespace {

// Approximate overhead of an entry with one channel.
constexpr std::size_t kEntryBytes = 112;

std::size_t bytes_of(std::string_view channel) {
  return sizeof(std::string) + channel.size();
}

}  // namespace

void ChannelRecipients::add(MessageId message, std::string_view channel) {
  const auto [entry, is_new] = channels_.try_emplace(message);
  if (is_new) bytes_ += kEntryBytes;
  if (std::ranges::find(entry->second, channel) != entry->second.end()) return;
  entry->second.emplace_back(channel);
  bytes_ += bytes_of(channel);
}

std::vector<std::string> ChannelRecipients::take(MessageId message) {
  const auto entry = channels_.find(message);
  if (entry == channels_.end()) return {};
  std::vector<std::string> channels = std::move(entry->second);
  channels_.erase(entry);
  bytes_ -= kEntryBytes;
  for (const std::string& channel : channels) bytes_ -= bytes_of(channel);
  return channels;
}

}  // namespace sse::hub
