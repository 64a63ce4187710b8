#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "cluster/redis/redis_repository.h"
#include "cluster/redis/redis_repository_scripts.h"
#include "cluster/redis/redis_repository_values.h"
#include "store/imported.h"

// The part of RedisRepository that manages dead letters.
namespace sse::cluster {
namespace {

using redis_values::id_of;
using redis_values::integer;
using redis_values::kAddBytes;
using redis_values::kAddMessages;
using redis_values::kConfirmationBatch;
using redis_values::matches;
using redis_values::member_of;
using redis_values::number;
using redis_values::refusal;
using redis_values::withdrawn_in;
using store::MessageFilter;
using store::PendingMessage;
using store::Withdrawn;

constexpr std::size_t kDeadPage = 100;
constexpr std::size_t kMaxRequeueRounds = 100;

}  // namespace

template <class Use>
void RedisRepository::each_dead(MessageId id, const MessageFilter& filter, Use use) {
  std::string from = "-inf";
  std::uint64_t passed = 0;
  for (;;) {
    const RedisReply page =
        link_.execute({"ZRANGEBYSCORE", prefix_ + "deads", from, "+inf", "LIMIT", "0", std::to_string(kDeadPage)});
    std::vector<RedisCommand> commands;
    for (const RedisReply& serial : page.list)
      commands.push_back({"HMGET", prefix_ + "dead:" + serial.text, "member", "service", "kind", "name", "listening",
                          "event", "size", "created", "expires", "collapse", "attempts", "died", "original", "payload",
                          "notify"});
    const std::vector<RedisReply> replies = link_.execute_all(commands);
    for (std::size_t i = 0; i < replies.size(); ++i) {
      const std::vector<RedisReply>& field = replies[i].list;
      if (field.size() != 15 || field[0].is_nil()) continue;  // deleted in the meantime
      Dead dead;
      dead.serial = page.list[i].text;
      PendingMessage& message = dead.letter.message;
      message.id = id_of(field[0].text);
      message.service = ServiceName(field[1].text);
      message.recipient = {event::kind_from_name(field[2].text), field[3].text};
      message.listening = field[4].text == "1";
      message.event = field[5].text;
      message.data_size = number(field[6].text);
      message.created = here(field[7].text);
      message.expires = here(field[8].text);
      message.collapse = field[9].text;
      message.attempts = static_cast<std::uint32_t>(number(field[10].text));
      dead.letter.died = here(field[11].text);
      if (!field[12].text.empty()) message.original = id_of(field[12].text);
      message.notify = !field[14].is_nil();
      dead.data = prefix_ + (field[13].text.empty() ? "dead:" + dead.serial : "dead-data:" + field[13].text);
      const bool meant = (!id.valid() || message.id == id) && (!filter.message.valid() || message.id == filter.message);
      if (meant && matches(filter, message) && !use(dead)) return;
    }
    if (page.list.size() < kDeadPage) return;
    const std::uint64_t last = number(page.list.back().text);
    if (last <= passed) throw Error(ErrorCode::kIo, "Redis lists the same dead letters repeatedly");
    passed = last;
    from = "(" + page.list.back().text;
  }
}

// Letters of one message are adjacent and share its data, so it is read once.
void RedisRepository::read_data(std::vector<Dead>& letters) {
  const auto same = [&](std::size_t i) { return i > 0 && letters[i - 1].data == letters[i].data; };
  std::size_t end = 0;
  for (std::size_t begin = 0; begin < letters.size(); begin = end) {
    std::vector<RedisCommand> commands;
    std::uint64_t bytes = 0;
    for (end = begin; end < letters.size() && bytes < kAddBytes; ++end) {
      if (same(end)) continue;
      commands.push_back({"HGET", letters[end].data, "data"});
      bytes += letters[end].letter.message.data_size;
    }
    std::vector<RedisReply> replies = link_.execute_all(commands);
    std::size_t next = 0;
    for (std::size_t i = begin; i < end; ++i) {
      if (same(i)) {
        letters[i].letter.message.data = letters[i - 1].letter.message.data;
        letters[i].gone = letters[i - 1].gone;
      } else {
        letters[i].gone = replies.at(next).is_nil();
        letters[i].letter.message.data = std::move(replies[next++].text);
      }
    }
  }
}

std::uint64_t RedisRepository::count_dead(const MessageFilter& filter) {
  std::uint64_t n = 0;
  each_dead({}, filter, [&](const Dead&) {
    ++n;
    return true;
  });
  return n;
}

std::vector<store::DeadLetter> RedisRepository::list_dead(const MessageFilter& filter, std::uint64_t skip,
                                                          std::size_t limit) {
  std::vector<Dead> found;
  if (limit == 0) return {};
  each_dead({}, filter, [&](Dead& dead) {
    if (skip > 0) {
      --skip;
      return true;
    }
    found.push_back(std::move(dead));
    return found.size() < limit;
  });
  read_data(found);
  std::vector<store::DeadLetter> letters;
  letters.reserve(found.size());
  for (Dead& dead : found) {
    if (!dead.gone) letters.push_back(std::move(dead.letter));
  }
  return letters;
}

std::vector<store::DeadLetter> RedisRepository::page_dead(const store::MessageFilter& filter, std::size_t limit) {
  std::vector<store::DeadLetter> letters;
  std::vector<Dead> page;
  each_dead({}, filter, [&](Dead& dead) {
    page.push_back(std::move(dead));
    return true;
  });
  store::cut_page(page, limit, [](const Dead& dead) { return dead.letter.message.id; });
  read_data(page);
  for (Dead& dead : page) {
    if (!dead.gone) letters.push_back(std::move(dead.letter));
  }
  return letters;
}

std::vector<store::LetterOutcome> RedisRepository::add_dead(std::span<const store::DeadLetter> letters) {
  std::vector<store::LetterOutcome> outcomes;
  outcomes.reserve(letters.size());
  while (!letters.empty()) {
    std::vector<std::string> arguments{std::to_string(options_.limits.dead),
                                       std::to_string(options_.limits.dead_bytes.count())};
    std::size_t bytes = 0;
    std::size_t count = 0;
    for (; count < letters.size() && count < kAddMessages && bytes < kAddBytes; ++count) {
      const PendingMessage& m = letters[count].message;
      bytes += m.data.size();
      for (std::string part :
           {member_of(m.id), m.service.str(), std::string(event::kind_name(m.recipient.kind)), m.recipient.name,
            std::string(m.listening ? "1" : "0"), m.event, m.data.str(), there(m.created), there(m.expires), m.collapse,
            m.original.valid() ? member_of(m.original) : std::string(), std::to_string(m.attempts),
            there(letters[count].died), store::import_key(store::first_id(m), m.recipient),
            std::string(m.notify ? "1" : "0")})
        arguments.push_back(std::move(part));
    }
    const RedisReply reply = run_script(scripts_->add_dead, std::move(arguments));
    if (reply.list.size() != count) throw Error(ErrorCode::kIo, "Redis sent an unexpected reply to dead letters");
    for (const RedisReply& one : reply.list) {
      outcomes.push_back(one.integer == 0   ? store::LetterOutcome::kStored
                         : one.integer == 1 ? store::LetterOutcome::kKnown
                                            : store::LetterOutcome::kLimitReached);
    }
    letters = letters.subspan(count);
  }
  return outcomes;
}

std::vector<MessageId> RedisRepository::requeue(MessageId id, const MessageFilter& filter, WallTime now) {
  for (std::size_t round = 0; round < kMaxRequeueRounds; ++round) {
    std::vector<std::string> arguments = limits();
    arguments.push_back(there(now));
    const std::size_t fixed = arguments.size();
    each_dead(id, filter, [&](const Dead& dead) {
      arguments.push_back(dead.serial);
      arguments.push_back(store::import_key(store::first_id(dead.letter.message), dead.letter.message.recipient));
      return true;
    });
    if (arguments.size() == fixed) return {};
    const RedisReply reply = run_script(scripts_->requeue, std::move(arguments));
    if (reply.list.size() < 2) throw Error(ErrorCode::kInternal, "Redis sent an unexpected reply to a requeue");
    size_.store(integer(reply.list[0]), std::memory_order_relaxed);
    const std::string& status = reply.list[1].text;
    // Another node requeued or purged some of them: retry with the others.
    if (status == "changed") continue;
    if (!status.empty() && reply.list.size() == 7) {
      throw refusal(options_.limits, status, {event::kind_from_name(reply.list[5].text), reply.list[2].text},
                    {number(reply.list[3].text), number(reply.list[4].text)}, 1, integer(reply.list[6]));
    }
    if (reply.list.size() < 4) throw Error(ErrorCode::kInternal, "Redis sent an unexpected reply to a requeue");
    take_reports(reply.list[3]);
    const std::size_t fresh = std::min(4 + 4 * integer(reply.list[2]), std::uint64_t{reply.list.size()});
    withdrawals_.report(withdrawn_in(reply.list, 4, fresh, Withdrawn::Why::kReplaced));
    std::vector<MessageId> ids;
    for (std::size_t i = fresh; i < reply.list.size(); ++i) ids.push_back(id_of(reply.list[i].text));
    return ids;
  }
  throw Error(ErrorCode::kUnavailable, "the dead letters change faster than they can be requeued; try again");
}

std::uint64_t RedisRepository::purge_dead(MessageId id, const MessageFilter& filter) {
  std::vector<std::string> serials;
  each_dead(id, filter, [&](const Dead& dead) {
    serials.push_back(dead.serial);
    return true;
  });
  std::uint64_t gone = 0;
  for (std::size_t i = 0; i < serials.size(); i += kConfirmationBatch) {
    const auto begin = serials.begin() + static_cast<std::ptrdiff_t>(i);
    const auto end = serials.begin() + static_cast<std::ptrdiff_t>(std::min(i + kConfirmationBatch, serials.size()));
    gone += integer(run_script(scripts_->forget_dead, {begin, end}));
  }
  return gone;
}

}  // namespace sse::cluster
