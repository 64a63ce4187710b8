#include <algorithm>
#include <utility>

#include "cluster/redis/redis_repository.h"
#include "cluster/redis/redis_repository_scripts.h"
#include "cluster/redis/redis_repository_values.h"

// The part of RedisRepository that lists and deletes messages for an operator.
namespace sse::cluster {
namespace {

using redis_values::id_of;
using redis_values::integer;
using redis_values::kConfirmationBatch;
using redis_values::kScanPage;
using redis_values::matches;
using redis_values::member_of;
using redis_values::number;
using redis_values::recipient_of;
using store::MessageFilter;
using store::PendingMessage;
using store::Withdrawn;

}  // namespace

// Returns the rows of the messages, those with several recipients ordered by name.
std::vector<PendingMessage> RedisRepository::read(const std::vector<std::string>& members, bool with_data) {
  std::vector<RedisCommand> commands;
  for (const std::string& member : members) {
    commands.push_back({"HMGET", prefix_ + "message:" + member, "service", "kind", "listening", "event", "size",
                        "created", "expires", "collapse"});
    if (with_data) commands.back().insert(commands.back().end(), {"data", "original", "notify"});
    commands.push_back({"SMEMBERS", prefix_ + "names:" + member});
    commands.push_back({"HGETALL", prefix_ + "attempts:" + member});
  }
  std::vector<PendingMessage> rows;
  const std::vector<RedisReply> replies = link_.execute_all(commands);
  for (std::size_t i = 0; i < members.size(); ++i) {
    const std::vector<RedisReply>& fields = replies[3 * i].list;
    if (fields.size() < 8 || fields[0].is_nil()) continue;  // deleted in the meantime
    PendingMessage row;
    row.id = id_of(members[i]);
    row.service = ServiceName(fields[0].text);
    row.listening = fields[2].text == "1";
    row.event = fields[3].text;
    row.data_size = number(fields[4].text);
    row.created = here(fields[5].text);
    row.expires = here(fields[6].text);
    row.collapse = fields[7].text;
    if (with_data && fields.size() > 10) {
      row.data = fields[8].text;
      row.notify = !fields[10].is_nil();
      if (!fields[9].text.empty()) row.original = id_of(fields[9].text);
    }
    std::map<std::string, std::uint32_t> names;
    for (const RedisReply& name : replies[3 * i + 1].list) names.emplace(name.text, 0);
    const std::vector<RedisReply>& attempts = replies[3 * i + 2].list;
    for (std::size_t a = 0; a + 1 < attempts.size(); a += 2) {
      if (const auto found = names.find(attempts[a].text); found != names.end())
        found->second = static_cast<std::uint32_t>(number(attempts[a + 1].text));
    }
    for (const auto& [name, count] : names) {
      row.recipient = redis_values::stored_recipient(fields[1].text, name);
      row.attempts = count;
      rows.push_back(row);
    }
  }
  return rows;
}

// Reads in pages, so that Redis is never blocked for long. `use` returns false to stop.
template <class Use>
void RedisRepository::each(const MessageFilter& filter, Use use) {
  const bool one_recipient = !filter.service.empty() && filter.kind && !filter.recipient.empty();
  const std::string key =
      one_recipient ? prefix_ + "of:" + recipient_of(filter.service, *filter.kind, filter.recipient) : prefix_ + "all";
  std::string from = filter.after.valid() ? "(" + member_of(filter.after) : "-";
  for (;;) {
    const RedisReply page = link_.execute({"ZRANGEBYLEX", key, from, "+", "LIMIT", "0", std::to_string(kScanPage)});
    std::vector<std::string> members;
    for (const RedisReply& member : page.list) members.push_back(member.text);
    if (members.empty()) return;
    const std::string next = "(" + members.back();
    if (from != "-" && next <= from) throw Error(ErrorCode::kIo, "Redis lists the same messages repeatedly");
    from = next;
    for (PendingMessage& row : read(members, false)) {
      if (matches(filter, row) && !use(row)) return;
    }
    if (members.size() < kScanPage) return;
  }
}

std::uint64_t RedisRepository::count(const MessageFilter& filter) {
  if (filter.service.empty() && !filter.kind && filter.recipient.empty() && filter.event.empty() &&
      !filter.after.valid()) {
    return number(link_.execute({"GET", prefix_ + "count"}).text);
  }
  std::uint64_t n = 0;
  each(filter, [&](const PendingMessage&) {
    ++n;
    return true;
  });
  return n;
}

std::vector<PendingMessage> RedisRepository::list(const MessageFilter& filter, std::uint64_t skip, std::size_t limit) {
  std::vector<PendingMessage> rows;
  if (limit == 0) return rows;
  each(filter, [&](PendingMessage& row) {
    if (skip > 0) {
      --skip;
      return true;
    }
    rows.push_back(std::move(row));
    return rows.size() < limit;
  });
  return rows;
}

std::vector<PendingMessage> RedisRepository::find(MessageId id) {
  return read({member_of(id)}, true);
}

std::vector<PendingMessage> RedisRepository::find_all(std::span<const MessageId> ids) {
  std::vector<std::string> members;
  members.reserve(ids.size());
  for (const MessageId id : ids) members.push_back(member_of(id));
  return members.empty() ? std::vector<PendingMessage>() : read(members, true);
}

std::uint64_t RedisRepository::erase(MessageId id) {
  const std::vector<PendingMessage> rows = read({member_of(id)}, false);
  const RedisReply reply = run_script(scripts_->erase, {member_of(id)});
  if (reply.list.size() != 3) throw Error(ErrorCode::kIo, "Redis sent an unexpected reply to a deletion");
  size_.store(integer(reply.list[1]), std::memory_order_relaxed);
  take_reports(reply.list[2]);
  if (integer(reply.list[0]) != 0) report_deleted(rows);
  return integer(reply.list[0]);
}

void RedisRepository::report_deleted(const std::vector<PendingMessage>& rows) {
  std::vector<Withdrawn> gone;
  for (const PendingMessage& row : rows) gone.push_back({row.service, row.recipient, row.id, Withdrawn::Why::kDeleted});
  withdrawals_.report(std::move(gone));
}

std::uint64_t RedisRepository::purge(const MessageFilter& filter) {
  std::uint64_t gone = 0;
  std::vector<Confirmation> batch;
  std::vector<PendingMessage> rows;
  const auto drop_batch = [&] {
    gone += drop(batch, store::DeliveryReport::Outcome::kDeleted);
    report_deleted(rows);
    batch.clear();
    rows.clear();
  };
  each(filter, [&](const PendingMessage& row) {
    batch.push_back({recipient_of(row.service, row.recipient.kind, row.recipient.name), row.recipient.name, row.id});
    rows.push_back(row);
    if (batch.size() >= kConfirmationBatch) drop_batch();
    return true;
  });
  if (!batch.empty()) drop_batch();
  return gone;
}

}  // namespace sse::cluster
