#include "cluster/redis_repository.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>
#include <random>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "cluster/redis_discovery.h"
#include "cluster/redis_repository_scripts.h"
#include "delivery/recipient_limit.h"

namespace sse::cluster {
namespace {

using delivery::AddOutcome;
using delivery::MessageFilter;
using delivery::NewMessage;
using delivery::PendingMessage;
using delivery::Recipient;
using event::TargetKind;

constexpr int kTimeShift = 22;
constexpr std::uint64_t kBelowMask = (std::uint64_t{1} << kTimeShift) - 1;
constexpr std::size_t kMostConfirmations = 1'000'000;
constexpr std::size_t kConfirmationBatch = 500;
constexpr std::size_t kScanPage = 500;
// What one script handles: Redis does nothing else meanwhile.
constexpr std::size_t kAddMessages = 500;
constexpr std::size_t kAddBytes = std::size_t{4} << 20;
constexpr std::size_t kAddNames = 10'000;
constexpr std::size_t kFieldsOfARow = 9;
constexpr std::chrono::milliseconds kRetry{200};

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

std::string millis_text(WallTime time) {
  return std::to_string(to_millis(time));
}

std::uint64_t integer(const RedisReply& reply) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(reply.integer, 0));
}

std::string random_word() {
  std::random_device random;
  return std::to_string(random()) + "-" + std::to_string(random());
}

RedisLinkOptions named(RedisLinkOptions options) {
  options.name = "sse-pending";
  return options;
}

}  // namespace

RedisRepository::RedisRepository(Options options, std::chrono::milliseconds patience)
    : options_(std::move(options)),
      prefix_(options_.prefix + "pending:"),
      link_(named(options_.link), RedisLink::Mode::kCommands, nullptr) {
  link_.start();
  link_.require_up(patience);
  look();
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "sse-confirm");
    run();
  });
}

RedisRepository::~RedisRepository() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  link_.stop();
}

void RedisRepository::report(const std::string& sentence) const {
  if (options_.on_error) options_.on_error(sentence);
}

std::string RedisRepository::recipient_key(const ServiceName& service, TargetKind kind, const std::string& name) const {
  return prefix_ + "of:" + std::to_string(service.str().size()) + ":" + service.str() + ":" +
         std::string(event::kind_name(kind)) + ":" + name;
}

RedisReply RedisRepository::run_script(const char* script, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), prefix_);
  const std::string text = std::string(scripts::kCommon) + script;
  return evaluate(link_, text.c_str(), {}, arguments);
}

std::vector<AddOutcome> RedisRepository::add_all(std::span<const NewMessage> messages) {
  std::vector<AddOutcome> outcomes;
  outcomes.reserve(messages.size());
  for (std::size_t begin = 0; begin < messages.size();) {
    std::vector<std::string> arguments{std::to_string(options_.max_per_recipient), ""};
    std::size_t bytes = 0;
    std::size_t names = 0;
    std::size_t end = begin;
    for (; end < messages.size() && end - begin < kAddMessages && bytes < kAddBytes && names < kAddNames; ++end) {
      const NewMessage& message = messages[end];
      std::vector<std::string> to = message.target.names;
      if (message.target.kind == TargetKind::kAll) to = {""};
      for (std::string part : {message.service.str(), std::string(event::kind_name(message.target.kind)),
                               std::string(message.target.listening ? "1" : "0"), message.event, message.data,
                               millis_text(message.created), millis_text(message.expires), std::to_string(to.size())}) {
        bytes += part.size();
        arguments.push_back(std::move(part));
      }
      names += to.size();
      for (std::string& name : to) arguments.push_back(std::move(name));
    }
    arguments[1] = std::to_string(end - begin);
    const RedisReply reply = run_script(scripts::kAdd, std::move(arguments));
    if (reply.list.size() != 1 + 3 * (end - begin))
      throw Error(ErrorCode::kInternal, "Redis answered to added messages with something else");
    size_.store(integer(reply.list[0]), std::memory_order_relaxed);
    for (std::size_t i = begin; i < end; ++i) {
      const RedisReply* row = &reply.list[1 + 3 * (i - begin)];
      AddOutcome outcome;
      if (row[0].text == "full") {
        const Error refusal =
            delivery::recipient_limit_reached({messages[i].target.kind, row[1].text}, number(row[2].text));
        outcome.refusal = {refusal.code(), refusal.what()};
      } else {
        outcome.id =
            MessageId((number(row[1].text) << kTimeShift) | (std::uint64_t{kIdNode} << 12) | number(row[2].text));
      }
      outcomes.push_back(std::move(outcome));
    }
    begin = end;
  }
  return outcomes;
}

void RedisRepository::confirm(const ServiceName& service, const Recipient& recipient, MessageId id) {
  Confirmation confirmation{recipient_key(service, recipient.kind, recipient.name), recipient.name, id};
  const MutexLock lock(mutex_);
  // What is dropped here is delivered once more.
  if (queue_.size() >= kMostConfirmations) return;
  queue_.push_back(std::move(confirmation));
  if (queue_.size() == 1) changed_.notify_one();
}

void RedisRepository::run() {
  SteadyTime next_look = steady_now() + options_.look;
  for (;;) {
    std::vector<Confirmation> batch;
    bool last = false;
    {
      const MutexLock lock(mutex_);
      while (queue_.empty() && !stopping_) {
        if (!changed_.wait_until(mutex_, next_look)) break;
      }
      last = stopping_;
      const auto count = static_cast<std::ptrdiff_t>(std::min(queue_.size(), kConfirmationBatch));
      batch.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(queue_.begin() + count));
      queue_.erase(queue_.begin(), queue_.begin() + count);
    }
    try {
      if (!batch.empty()) write_confirmations(batch);
      if (batch.empty() && last) return;
      if (steady_now() >= next_look) look();
    } catch (const Error& e) {
      if (!batch.empty()) report(std::string("confirmations have to wait: ") + e.what());
      const SteadyTime again = steady_now() + kRetry;
      const MutexLock lock(mutex_);
      queue_.insert(queue_.begin(), std::make_move_iterator(batch.begin()), std::make_move_iterator(batch.end()));
      if (stopping_) return;
      while (!stopping_ && changed_.wait_until(mutex_, again)) {
      }
    }
    if (steady_now() >= next_look) next_look = steady_now() + options_.look;
  }
}

void RedisRepository::write_confirmations(const std::vector<Confirmation>& batch) {
  std::vector<std::string> arguments;
  for (const Confirmation& one : batch) {
    arguments.push_back(one.recipient_key);
    arguments.push_back(one.name);
    arguments.push_back(member_of(one.id));
  }
  size_.store(integer(run_script(scripts::kConfirm, std::move(arguments))), std::memory_order_relaxed);
}

void RedisRepository::look() {
  const RedisReply reply = run_script(scripts::kLook, {random_word()});
  if (reply.list.size() != 2) return;
  const std::string& epoch = reply.list[1].text;
  const std::uint64_t before = size_.exchange(integer(reply.list[0]), std::memory_order_relaxed);
  if (!epoch_.empty() && epoch_ != epoch) {
    report("Redis at " + options_.link.address.str() + " has lost its data: about " + std::to_string(before) +
           " pending messages are gone; run it with 'appendonly yes'");
  }
  epoch_ = epoch;
}

std::vector<PendingMessage> RedisRepository::pending(const ServiceName& service, std::span<const Recipient> recipients,
                                                     MessageId after, std::size_t limit, ByteCount most, WallTime now) {
  std::vector<PendingMessage> rows;
  if (limit == 0 || recipients.empty()) return rows;
  std::vector<std::string> arguments{member_of(after), std::to_string(limit), std::to_string(most.count()),
                                     millis_text(now)};
  for (const Recipient& recipient : recipients)
    arguments.push_back(recipient_key(service, recipient.kind, recipient.name));
  const RedisReply reply = run_script(scripts::kPending, std::move(arguments));
  for (std::size_t at = 0; at + kFieldsOfARow <= reply.list.size(); at += kFieldsOfARow) {
    const RedisReply* field = &reply.list[at];
    const std::uint64_t recipient = number(field[0].text);
    if (recipient >= recipients.size()) continue;
    PendingMessage row;
    row.id = id_of(field[1].text);
    row.service = service;
    row.recipient = recipients[recipient];
    row.listening = field[2].text == "1";
    row.event = field[3].text;
    row.data = field[4].text;
    row.data_size = number(field[5].text);
    row.created = from_millis(static_cast<std::int64_t>(number(field[6].text)));
    row.expires = from_millis(static_cast<std::int64_t>(number(field[7].text)));
    rows.push_back(std::move(row));
  }
  return rows;
}

std::uint64_t RedisRepository::expire(WallTime now) {
  std::uint64_t pairs = 0;
  for (;;) {
    const RedisReply reply = run_script(scripts::kExpire, {millis_text(now), std::to_string(kScanPage)});
    if (reply.list.size() != 3) return pairs;
    pairs += integer(reply.list[1]);
    size_.store(integer(reply.list[2]), std::memory_order_relaxed);
    if (integer(reply.list[0]) < kScanPage) return pairs;
  }
}

// Rows of the messages, those with several recipients in the order of their names.
std::vector<PendingMessage> RedisRepository::read(const std::vector<std::string>& members, bool with_data) {
  std::vector<RedisCommand> commands;
  for (const std::string& member : members) {
    commands.push_back({"HMGET", prefix_ + "message:" + member, "service", "kind", "listening", "event", "size",
                        "created", "expires"});
    if (with_data) commands.back().push_back("data");
    commands.push_back({"SMEMBERS", prefix_ + "names:" + member});
  }
  std::vector<PendingMessage> rows;
  const std::vector<RedisReply> replies = link_.ask_all(commands);
  for (std::size_t i = 0; i < members.size(); ++i) {
    const std::vector<RedisReply>& fields = replies[2 * i].list;
    if (fields.size() < 7 || fields[0].is_nil()) continue;  // gone meanwhile
    PendingMessage row;
    row.id = id_of(members[i]);
    row.service = ServiceName(fields[0].text);
    row.recipient.kind = event::kind_from_name(fields[1].text);
    row.listening = fields[2].text == "1";
    row.event = fields[3].text;
    row.data_size = number(fields[4].text);
    row.created = from_millis(static_cast<std::int64_t>(number(fields[5].text)));
    row.expires = from_millis(static_cast<std::int64_t>(number(fields[6].text)));
    if (with_data && fields.size() > 7) row.data = fields[7].text;
    std::vector<std::string> names;
    for (const RedisReply& name : replies[2 * i + 1].list) names.push_back(name.text);
    std::ranges::sort(names);
    for (std::string& name : names) {
      row.recipient.name = std::move(name);
      rows.push_back(row);
    }
  }
  return rows;
}

// In pages, so that Redis is never held up. `use` returns false to end it.
template <class Use>
void RedisRepository::each(const MessageFilter& filter, bool with_data, Use use) {
  const bool one_recipient = !filter.service.empty() && filter.kind && !filter.recipient.empty();
  const std::string key =
      one_recipient ? recipient_key(filter.service, *filter.kind, filter.recipient) : prefix_ + "all";
  std::string from = "-";
  for (;;) {
    const RedisReply page = link_.ask({"ZRANGEBYLEX", key, from, "+", "LIMIT", "0", std::to_string(kScanPage)});
    std::vector<std::string> members;
    for (const RedisReply& member : page.list) members.push_back(member.text);
    if (members.empty()) return;
    from = "(" + members.back();
    for (PendingMessage& row : read(members, with_data)) {
      const bool fits = (filter.service.empty() || filter.service == row.service) &&
                        (!filter.kind || *filter.kind == row.recipient.kind) &&
                        (filter.recipient.empty() || filter.recipient == row.recipient.name) &&
                        (filter.event.empty() || filter.event == row.event);
      if (fits && !use(row)) return;
    }
    if (members.size() < kScanPage) return;
  }
}

std::uint64_t RedisRepository::count(const MessageFilter& filter) {
  if (filter.service.empty() && !filter.kind && filter.recipient.empty() && filter.event.empty()) {
    const RedisReply reply = link_.ask({"GET", prefix_ + "count"});
    return number(reply.text);
  }
  std::uint64_t n = 0;
  each(filter, false, [&](const PendingMessage&) {
    ++n;
    return true;
  });
  return n;
}

std::vector<PendingMessage> RedisRepository::list(const MessageFilter& filter, std::uint64_t skip, std::size_t limit) {
  std::vector<PendingMessage> rows;
  if (limit == 0) return rows;
  each(filter, false, [&](PendingMessage& row) {
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

std::uint64_t RedisRepository::erase(MessageId id) {
  const RedisReply reply = run_script(scripts::kErase, {member_of(id)});
  if (reply.list.size() != 2) return 0;
  size_.store(integer(reply.list[1]), std::memory_order_relaxed);
  return integer(reply.list[0]);
}

}  // namespace sse::cluster
