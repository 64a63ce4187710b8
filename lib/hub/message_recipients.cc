#include "hub/message_recipients.h"

#include <algorithm>
#include <utility>

namespace sse::hub {
namespace {

// Approximate overhead of an entry with one recipient.
constexpr std::size_t kEntryBytes = 112;

std::size_t bytes_of(std::string_view name) {
  return sizeof(Names::value_type) + name.size();
}

}  // namespace

void MessageRecipients::add(MessageId message, event::TargetKind kind, std::string_view name) {
  const auto [entry, is_new] = recipients_.try_emplace(message);
  if (is_new) bytes_ += kEntryBytes;
  const auto same = [&](const Names::value_type& known) { return known.first == kind && known.second == name; };
  if (std::ranges::any_of(entry->second, same)) return;
  entry->second.emplace_back(kind, name);
  bytes_ += bytes_of(name);
}

Names MessageRecipients::take(MessageId message) {
  const auto entry = recipients_.find(message);
  if (entry == recipients_.end()) return {};
  Names recipients = std::move(entry->second);
  recipients_.erase(entry);
  bytes_ -= kEntryBytes;
  for (const auto& [kind, name] : recipients) bytes_ -= bytes_of(name);
  return recipients;
}

}  // namespace sse::hub
