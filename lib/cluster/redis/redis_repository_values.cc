#include "cluster/redis/redis_repository_values.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "base/text.h"

namespace sse::cluster::redis_values {

using event::TargetKind;
using store::MessageFilter;
using store::NewMessage;
using store::PendingMessage;
using store::Recipient;
using store::Usage;
using store::Withdrawn;

namespace {

// The kind of messages to recipients of several kinds.
constexpr std::string_view kSeveral = "several";
constexpr int kTimeShift = 22;
constexpr std::uint64_t kBelowMask = (std::uint64_t{1} << kTimeShift) - 1;

}  // namespace

std::string member_of(MessageId id) {
  char text[32];
  std::snprintf(text, sizeof text, "%013llu%07llu", static_cast<unsigned long long>(id.value() >> kTimeShift),
                static_cast<unsigned long long>(id.value() & kBelowMask));
  return text;
}

std::uint64_t number(const std::string& text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

MessageId id_of(const std::string& member) {
  if (member.size() != 20) return {};
  return MessageId((number(member.substr(0, 13)) << kTimeShift) | number(member.substr(13)));
}

std::vector<MessageId> ids_of(std::string_view members) {
  std::vector<MessageId> ids;
  for (; members.size() >= kMemberSize; members.remove_prefix(kMemberSize))
    ids.push_back(id_of(std::string(members.substr(0, kMemberSize))));
  return ids;
}

void note_replaced(const NewMessage& message, std::string_view replaced, std::vector<Withdrawn>& gone) {
  while (replaced.size() > kMemberSize) {
    const std::size_t colon = replaced.find(':', kMemberSize);
    if (colon == std::string_view::npos) return;
    const std::uint64_t size = number(std::string(replaced.substr(kMemberSize, colon - kMemberSize)));
    if (size > replaced.size() - colon - 1) return;
    gone.push_back({message.service,
                    stored_recipient(stored_kind(message), std::string(replaced.substr(colon + 1, size))),
                    id_of(std::string(replaced.substr(0, kMemberSize))), Withdrawn::Why::kReplaced});
    replaced.remove_prefix(colon + 1 + size);
  }
}

std::uint64_t integer(const RedisReply& reply) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(reply.integer, 0));
}

std::vector<Withdrawn> withdrawn_in(const std::vector<RedisReply>& list, std::size_t begin, std::size_t end,
                                    Withdrawn::Why why) {
  std::vector<Withdrawn> gone;
  for (std::size_t at = begin; at + 4 <= end; at += 4) {
    gone.push_back({ServiceName(list[at].text),
                    {event::kind_from_name(list[at + 1].text), list[at + 2].text},
                    id_of(list[at + 3].text),
                    why});
  }
  return gone;
}

std::string stored_kind(const NewMessage& message) {
  return std::string(message.also.empty() ? event::kind_name(message.target.kind) : kSeveral);
}

std::string stored_name(const NewMessage& message, const Recipient& recipient) {
  if (message.also.empty()) return recipient.name;
  return std::string(event::kind_name(recipient.kind)) + ":" + recipient.name;
}

Recipient stored_recipient(const std::string& kind, const std::string& name) {
  if (kind != kSeveral) return {event::kind_from_name(kind), name};
  std::string_view rest = name;
  std::string_view its_kind;
  take_word(rest, ':', its_kind);
  return {event::kind_from_name(its_kind), std::string(rest)};
}

std::string recipient_of(const ServiceName& service, TargetKind kind, const std::string& name) {
  return std::to_string(service.str().size()) + ":" + service.str() + ":" + std::string(event::kind_name(kind)) + ":" +
         name;
}

bool matches(const MessageFilter& filter, const PendingMessage& row) {
  return (filter.service.empty() || filter.service == row.service) &&
         (!filter.kind || *filter.kind == row.recipient.kind) &&
         (filter.recipient.empty() || filter.recipient == row.recipient.name) &&
         (filter.event.empty() || filter.event == row.event) && row.id > filter.after;
}

Error refusal(const store::StoreLimits& limits, const std::string& why, const Recipient& recipient, Usage usage,
              std::uint64_t pairs, std::uint64_t bytes) {
  try {
    if (why == "full") require_room(limits, recipient, usage, bytes);
    if (why == "total") require_room(limits, usage, pairs, bytes);
  } catch (const Error& e) {
    return e;
  }
  return {ErrorCode::kInternal, "Redis refused a message for an unknown reason"};
}

bool read_recipient(std::string_view text, ServiceName& service, Recipient& recipient) {
  std::uint64_t size = 0;
  if (!take_number(text, ':', size) || size > text.size()) return false;
  service = ServiceName(std::string(text.substr(0, size)));
  text.remove_prefix(size);
  std::string_view kind;
  if (text.empty() || text.front() != ':') return false;
  text.remove_prefix(1);
  if (!take_word(text, ':', kind)) return false;
  recipient = {event::kind_from_name(kind), std::string(text)};
  return true;
}

}  // namespace sse::cluster::redis_values
