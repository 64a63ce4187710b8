#include "cluster/redis/redis_repository.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "cluster/redis/redis_repository_scripts.h"
#include "observe/barrier.h"
#include "observe/metrics.h"
#include "store/imported.h"

namespace sse::cluster {
namespace {

using event::TargetKind;
using store::AddOutcome;
using store::MessageFilter;
using store::NewMessage;
using store::PendingMessage;
using store::Recipient;
using store::Usage;
using store::Withdrawn;

constexpr int kTimeShift = 22;
constexpr std::uint64_t kBelowMask = (std::uint64_t{1} << kTimeShift) - 1;
constexpr std::size_t kConfirmationBatch = 500;
constexpr std::size_t kScanPage = 500;
// Limits of one script, because Redis does nothing else meanwhile.
constexpr std::size_t kAddMessages = 500;
constexpr std::size_t kAddBytes = std::size_t{4} << 20;
constexpr std::size_t kAddNames = 10'000;
constexpr std::size_t kFieldsOfARow = 10;
constexpr std::size_t kFieldsOfAnOutcome = 6;
constexpr std::size_t kMemberSize = 20;
constexpr std::size_t kDeadPage = 100;
constexpr std::size_t kRecountMessages = 200;
constexpr std::size_t kRecountNames = 1000;
constexpr std::size_t kRecountLetters = 20'000;
// Bounds the loop in case Redis reports forever that there is more.
constexpr std::size_t kMaxRounds = 100'000;
constexpr std::size_t kMaxRequeueRounds = 100;
constexpr std::chrono::milliseconds kRetry{200};
// A smaller difference is due to the round trip and rounding.
constexpr std::int64_t kSameClock = 1000;
// Infinite times are not converted.
constexpr std::int64_t kNoTime = std::int64_t{1} << 60;

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

// Parses concatenated members.
std::vector<MessageId> ids_of(std::string_view members) {
  std::vector<MessageId> ids;
  for (; members.size() >= kMemberSize; members.remove_prefix(kMemberSize))
    ids.push_back(id_of(std::string(members.substr(0, kMemberSize))));
  return ids;
}

// Parses the messages that this one replaced, as returned by keep() in the scripts.
void note_replaced(const NewMessage& message, std::string_view replaced, std::vector<Withdrawn>& gone) {
  while (replaced.size() > kMemberSize) {
    const std::size_t colon = replaced.find(':', kMemberSize);
    if (colon == std::string_view::npos) return;
    const std::uint64_t size = number(std::string(replaced.substr(kMemberSize, colon - kMemberSize)));
    if (size > replaced.size() - colon - 1) return;
    gone.push_back({message.service,
                    {message.target.kind, std::string(replaced.substr(colon + 1, size))},
                    id_of(std::string(replaced.substr(0, kMemberSize))),
                    Withdrawn::Why::kReplaced});
    replaced.remove_prefix(colon + 1 + size);
  }
}

std::uint64_t integer(const RedisReply& reply) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(reply.integer, 0));
}

// Parses groups of service, kind, name, member from `begin` on.
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

std::string random_word() {
  std::random_device random;
  return std::to_string(random()) + "-" + std::to_string(random());
}

// Same as who() in the scripts.
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

// The Error for lack of room, in the wording that all stores share.
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

// Returns one field of the output of INFO.
std::string info_field(const std::string& info, std::string_view name) {
  const std::string begin = std::string(name) + ":";
  std::size_t at = info.starts_with(begin) ? 0 : info.find("\n" + begin);
  if (at == std::string::npos) return "";
  at = info.find(':', at) + 1;
  return info.substr(at, std::min(info.find_first_of("\r\n", at), info.size()) - at);
}

// Escapes a text for a SCAN pattern.
std::string escaped_pattern(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("*?[]\\^").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

RedisLinkOptions named(RedisLinkOptions options, const char* name) {
  options.name = name;
  return options;
}

// Parses the output of who() in the scripts; false for anything else.
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

}  // namespace

struct RedisRepository::Scripts {
  explicit Scripts(const std::string& common = scripts::kCommon, const std::string& keep = scripts::kKeep)
      : add(common + keep + scripts::kAdd),
        requeue(common + keep + scripts::kRequeue),
        drop(common + scripts::kDrop),
        attempts(common + scripts::kAttempts),
        pending(common + scripts::kPending),
        expire(common + scripts::kExpire),
        erase(common + scripts::kErase),
        forget_dead(common + scripts::kForgetDead),
        add_dead(common + keep + scripts::kAddDead),
        look(common + scripts::kLook),
        relist(common + scripts::kRelist),
        recount(common + scripts::kRecount),
        recount_dead(common + scripts::kRecountDead) {}

  const RedisScript add, requeue, drop, attempts, pending, expire, erase, forget_dead, add_dead, look, relist, recount,
      recount_dead;
};

RedisRepository::RedisRepository(Options options, std::chrono::milliseconds timeout)
    : options_(std::move(options)),
      prefix_(options_.prefix + "pending:"),
      scripts_(std::make_unique<const Scripts>()),
      link_(named(options_.link, "sse-pending"), RedisLink::Mode::kCommands, nullptr),
      subscriber_(named(options_.link, "sse-settled"), RedisLink::Mode::kSubscriber, this) {
  link_.start();
  subscriber_.start();
  link_.require_up(timeout);
  inspect(true);
  look();
  begin_repair(false);
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
  subscriber_.stop();
  link_.stop();
}

void RedisRepository::link_up() {
  subscriber_.write({{"SUBSCRIBE", prefix_ + "settled"}});
}

void RedisRepository::link_down(const std::string& /*why*/) {
  reports_settled_.store(false);
}

void RedisRepository::link_pushed(std::vector<RedisReply> pushes) {
  for (const RedisReply& push : pushes) {
    if (push.is_error()) {
      report(std::string("confirmations on other nodes are only found by polling: ") + error_in(push).what());
      continue;
    }
    if (push.list.size() != 3) continue;
    if (push.list[0].text == "subscribe") {
      reports_settled_.store(true);
      // Confirmations before the subscription were missed.
      settlements_.report_missed();
    } else if (push.list[0].text == "message" && push.list[2].text.size() > kMemberSize) {
      const std::string& text = push.list[2].text;
      ServiceName service;
      Recipient recipient;
      if (!read_recipient(std::string_view(text).substr(kMemberSize), service, recipient)) continue;
      settlements_.report(service, recipient, id_of(text.substr(0, kMemberSize)));
    }
  }
}

std::string RedisRepository::there(WallTime time) const {
  const std::int64_t millis = to_millis(time);
  return std::to_string(millis < kNoTime && millis > -kNoTime ? millis + ahead_.load(std::memory_order_relaxed)
                                                              : millis);
}

WallTime RedisRepository::here(const std::string& text) const {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  if (value < kNoTime && value > -kNoTime) value -= ahead_.load(std::memory_order_relaxed);
  return from_millis(value);
}

void RedisRepository::report(const std::string& sentence) const {
  if (options_.on_error) options_.on_error(sentence);
}

void RedisRepository::inspect(bool starting) {
  next_inspection_ = clock().steady_now() + options_.inspect;
  try {
    inspect_memory(starting);
  } catch (const Error& e) {
    // Managed servers do not always permit INFO.
    if (e.code() == ErrorCode::kConflict || e.code() == ErrorCode::kUnavailable) throw;
    if (!std::exchange(uninspected_, true))
      report(std::string("cannot check whether Redis evicts messages or is full: ") + e.what());
  }
}

void RedisRepository::inspect_memory(bool starting) {
  const std::string where = "Redis at " + options_.link.address.str();
  const std::string memory = link_.execute({"INFO", "memory"}).text;
  const std::uint64_t most = number(info_field(memory, "maxmemory"));
  const std::uint64_t used = number(info_field(memory, "used_memory"));
  const std::string policy = info_field(memory, "maxmemory_policy");
  if (policy != policy_ && policy.starts_with("allkeys-")) {
    const std::string sentence = where + " has 'maxmemory-policy " + printable(policy, 40) +
                                 "', which evicts pending messages when memory is full; set it to noeviction";
    // Without a limit Redis does not evict.
    if (starting && most != 0 && !options_.allow_eviction)
      throw Error(ErrorCode::kConflict, sentence + ", or allow it with --allow-redis-eviction");
    report(sentence);
  }
  policy_ = policy;
  const bool full = most != 0 && used >= most && policy == "noeviction";
  if (full && !full_) {
    report(where + " is over its maxmemory (" + format_bytes(ByteCount(used)) + " of " + format_bytes(ByteCount(most)) +
           "): new messages with qos are refused until there is room; stored messages are delivered, confirmed and "
           "expire, without dead letters");
  }
  full_ = full;
  const std::uint64_t evicted = number(info_field(link_.execute({"INFO", "stats"}).text, "evicted_keys"));
  if (evicted > evicted_ && (!starting || evicted != 0)) {
    if (!starting) {
      report(where + " has evicted " + std::to_string(evicted - evicted_) +
             " keys to free memory; if messages were among them, they are lost");
    }
    begin_repair(true);
  }
  evicted_ = evicted;
}

void RedisRepository::begin_repair(bool relist) {
  next_recount_ = clock().steady_now() + options_.recount;
  if (relist) {
    repair_ = Repair::kRelist;
    scan_cursor_ = "0";
    relisted_ = 0;
  } else if (repair_ == Repair::kNone) {
    repair_ = Repair::kRecount;
    repair_begins_ = true;
  }
}

// Does a bounded amount of work, so that confirmations do not wait for the whole.
void RedisRepository::repair_step() {
  if (repair_ == Repair::kRecount) {
    recount_step();
    return;
  }
  const std::string begin = prefix_ + "message:";
  const RedisReply reply =
      link_.execute({"SCAN", scan_cursor_, "MATCH", escaped_pattern(begin) + "*", "COUNT", std::to_string(kScanPage)});
  if (reply.list.size() != 2) throw Error(ErrorCode::kIo, "Redis sent an unexpected reply to SCAN");
  std::vector<std::string> members;
  for (const RedisReply& key : reply.list[1].list) {
    if (key.text.size() == begin.size() + 20 && key.text.starts_with(begin))
      members.push_back(key.text.substr(begin.size()));
  }
  if (!members.empty()) relisted_ += integer(run_script(scripts_->relist, std::move(members)));
  scan_cursor_ = reply.list[0].text;
  if (scan_cursor_ != "0") return;
  repair_ = Repair::kRecount;
  repair_begins_ = true;
}

void RedisRepository::recount_step() {
  const RedisReply reply =
      run_script(scripts_->recount, {std::to_string(kRecountMessages), std::to_string(kRecountNames),
                                     std::exchange(repair_begins_, false) ? "1" : "0"});
  if (reply.list.size() != 7) throw Error(ErrorCode::kIo, "Redis sent an unexpected reply to a recount");
  if (integer(reply.list[0]) == 0) return;
  repair_ = Repair::kNone;
  const std::uint64_t letters = integer(run_script(scripts_->recount_dead, {std::to_string(kRecountLetters)}));
  const std::uint64_t before = integer(reply.list[1]);
  const std::uint64_t there = integer(reply.list[3]);
  const std::uint64_t lost = integer(reply.list[5]);
  const std::uint64_t listed = integer(reply.list[6]) + std::exchange(relisted_, 0);
  if (before == there && lost == 0 && listed == 0 && letters == 0 && reply.list[2].integer == reply.list[4].integer)
    return;
  report("counts and lists in Redis at " + options_.link.address.str() +
         " did not agree and are repaired: " + std::to_string(there) + " messages are pending, " +
         std::to_string(before) + " were counted; " + std::to_string(lost) + " were lost in part and are removed, " +
         std::to_string(listed) + " are listed again, " + std::to_string(letters) + " dead letters were lost");
  size_.store(there, std::memory_order_relaxed);
}

std::vector<std::string> RedisRepository::limits() const {
  const store::StoreLimits& limits = options_.limits;
  return {std::to_string(limits.per_recipient), std::to_string(limits.bytes_per_recipient.count()),
          std::to_string(limits.total), std::to_string(limits.total_bytes.count())};
}

RedisReply RedisRepository::run_script(const RedisScript& script, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), prefix_);
  return script.run(link_, {}, arguments);
}

// Appends the arguments of the add script for one message; returns its number of recipients.
std::size_t RedisRepository::append_message(const NewMessage& message, std::vector<std::string>& arguments) const {
  std::vector<std::string> to = message.target.names;
  if (message.target.kind == TargetKind::kAll) to = {""};
  for (std::string part : {message.service.str(), std::string(event::kind_name(message.target.kind)),
                           std::string(message.target.listening ? "1" : "0"), message.event, message.data,
                           there(message.created), there(message.expires), message.key, message.collapse,
                           message.original.valid() ? member_of(message.original) : std::string(),
                           std::string(message.awaited ? "1" : "0"), std::to_string(message.ids_before),
                           std::to_string(message.ids_behind), std::to_string(to.size())}) {
    arguments.push_back(std::move(part));
  }
  for (std::string& name : to) arguments.push_back(std::move(name));
  return to.size();
}

std::vector<AddOutcome> RedisRepository::outcomes_of(std::span<const NewMessage> messages, const RedisReply& reply) {
  if (reply.list.size() != 1 + kFieldsOfAnOutcome * messages.size())
    throw Error(ErrorCode::kInternal, "Redis sent an unexpected reply to added messages");
  size_.store(integer(reply.list[0]), std::memory_order_relaxed);
  std::vector<AddOutcome> outcomes;
  outcomes.reserve(messages.size());
  for (std::size_t i = 0; i < messages.size(); ++i)
    outcomes.push_back(outcome_of(messages[i], &reply.list[1 + kFieldsOfAnOutcome * i]));
  std::vector<Withdrawn> gone;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const RedisReply* field = &reply.list[1 + kFieldsOfAnOutcome * i];
    outcomes[i].before = ids_of(field[4].text);
    outcomes[i].behind = ids_of(field[5].text);
    if (field[0].text.empty()) note_replaced(messages[i], field[3].text, gone);
  }
  withdrawals_.report(std::move(gone));
  return outcomes;
}

std::vector<AddOutcome> RedisRepository::add_in_order(std::span<const NewMessage> messages,
                                                      const std::function<void()>& committed) {
  std::vector<AddOutcome> outcomes;
  outcomes.reserve(messages.size());
  for (std::size_t begin = 0; begin < messages.size();) {
    std::vector<std::string> arguments = limits();
    const std::size_t count_at = arguments.size();
    arguments.emplace_back();
    std::size_t bytes = 0;
    std::size_t names = 0;
    std::size_t end = begin;
    for (; end < messages.size() && end - begin < kAddMessages && bytes < kAddBytes && names < kAddNames; ++end) {
      bytes += messages[end].data.size();
      names += append_message(messages[end], arguments);
    }
    arguments[count_at] = std::to_string(end - begin);
    arguments.insert(arguments.begin(), prefix_);
    // The link's thread handles the replies, in the order in which Redis added the messages; this thread only waits.
    const auto promise = std::make_shared<std::promise<std::optional<AddOutcome::Refusal>>>();
    std::future<std::optional<AddOutcome::Refusal>> failure = promise->get_future();
    scripts_->add.run_async(link_, {}, std::move(arguments), [&, promise, end](const RedisReply& reply) {
      std::optional<AddOutcome::Refusal> why;
      try {
        if (reply.is_error()) throw error_in(reply);
        for (AddOutcome& one : outcomes_of(messages.subspan(begin, end - begin), reply))
          outcomes.push_back(std::move(one));
        if (end == messages.size() && committed) committed();
      } catch (const Error& e) {
        why = {e.code(), e.what()};
      } catch (const std::exception& e) {
        why = {ErrorCode::kInternal, std::string("cannot read the reply of Redis to added messages: ") + e.what()};
      }
      promise->set_value(std::move(why));
    });
    if (const auto why = failure.get()) throw Error(why->code, why->sentence);
    begin = end;
  }
  return outcomes;
}

bool RedisRepository::add_async(NewMessage message, Added added) {
  std::vector<std::string> arguments{prefix_};
  for (std::string& limit : limits()) arguments.push_back(std::move(limit));
  arguments.emplace_back("1");
  append_message(message, arguments);
  // Shared, because a std::function must be copyable.
  const auto shared = std::make_shared<std::pair<NewMessage, Added>>(std::move(message), std::move(added));
  scripts_->add.run_async(link_, {}, std::move(arguments), [this, shared](const RedisReply& reply) {
    AddOutcome outcome;
    try {
      if (reply.is_error()) throw error_in(reply);
      outcome = std::move(outcomes_of({&shared->first, 1}, reply).front());
    } catch (const Error& e) {
      outcome.refusal = {e.code(), e.what()};
    }
    shared->second(std::move(shared->first), std::move(outcome));
  });
  return true;
}

AddOutcome RedisRepository::outcome_of(const NewMessage& message, const RedisReply* field) const {
  AddOutcome outcome;
  const std::string& status = field[0].text;
  if (status.empty() || status == "again") {
    outcome.id = id_of(field[1].text);
    outcome.repeated = !status.empty();
    outcome.pending = number(field[2].text);
    return outcome;
  }
  const std::size_t pairs = message.target.kind == TargetKind::kAll ? 1 : message.target.names.size();
  const Error why = refusal(options_.limits, status, {message.target.kind, field[1].text},
                            {number(field[2].text), number(field[3].text)}, pairs, message.data.size());
  outcome.refusal = {why.code(), why.what()};
  return outcome;
}

void RedisRepository::confirm(const ServiceName& service, const Recipient& recipient, MessageId id) {
  Confirmation confirmation{recipient_of(service, recipient.kind, recipient.name), recipient.name, id};
  {
    const MutexLock lock(mutex_);
    if (queue_.size() < options_.max_confirmations) {
      queue_.push_back(std::move(confirmation));
      if (queue_.size() == 1) changed_.notify_one();
      dropping_ = false;
      return;
    }
    if (options_.dropped != nullptr) options_.dropped->add();
    if (std::exchange(dropping_, true)) return;
  }
  report(std::to_string(options_.max_confirmations) +
         " confirmations wait for Redis, and there is no room for more: messages of further ones are redelivered "
         "(sse_confirmations_dropped_total counts them)");
}

void RedisRepository::run() {
  SteadyTime next_look = clock().steady_now() + options_.look;
  bool failing = false;
  for (;;) {
    std::vector<Confirmation> batch;
    bool last = false;
    {
      const MutexLock lock(mutex_);
      while (queue_.empty() && !stopping_ && repair_ == Repair::kNone) {
        if (!changed_.wait_until(mutex_, next_look, clock())) break;
      }
      last = stopping_;
      const auto count = static_cast<std::ptrdiff_t>(std::min(queue_.size(), kConfirmationBatch));
      batch.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(queue_.begin() + count));
      queue_.erase(queue_.begin(), queue_.begin() + count);
    }
    if (batch.empty() && last) return;
    bool done = false;
    std::string failure = "this program failed, see its log";
    observe::guarded("the confirmations of messages in Redis", [&] {
      try {
        work(batch, next_look);
        done = true;
      } catch (const Error& e) {
        failure = e.what();
      }
    });
    if (done) {
      failing = false;
      continue;
    }
    if (!batch.empty() && !std::exchange(failing, true)) report("confirmations are delayed: " + failure);
    next_look = std::max(next_look, clock().steady_now() + kRetry);
    const SteadyTime again = clock().steady_now() + kRetry;
    const MutexLock lock(mutex_);
    queue_.insert(queue_.begin(), std::make_move_iterator(batch.begin()), std::make_move_iterator(batch.end()));
    if (stopping_) return;
    while (!stopping_ && changed_.wait_until(mutex_, again, clock())) {
    }
  }
}

// Empties `batch` once its confirmations are written.
void RedisRepository::work(std::vector<Confirmation>& batch, SteadyTime& next_look) {
  if (!batch.empty()) drop(batch);
  batch.clear();
  try {
    if (repair_ != Repair::kNone) repair_step();
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kUnavailable) throw;
    repair_ = Repair::kNone;
    report(std::string("counts and lists in Redis cannot be compared: ") + e.what());
  }
  if (clock().steady_now() < next_look) return;
  look();
  if (clock().steady_now() >= next_inspection_) inspect(false);
  if (clock().steady_now() >= next_recount_) begin_repair(false);
  next_look = clock().steady_now() + options_.look;
}

std::uint64_t RedisRepository::drop(const std::vector<Confirmation>& pairs) {
  std::vector<std::string> arguments;
  for (const Confirmation& one : pairs) {
    arguments.push_back(one.recipient);
    arguments.push_back(one.name);
    arguments.push_back(member_of(one.id));
  }
  const RedisReply reply = run_script(scripts_->drop, std::move(arguments));
  if (reply.list.size() != 2) throw Error(ErrorCode::kIo, "Redis sent an unexpected reply to a confirmation");
  size_.store(integer(reply.list[1]), std::memory_order_relaxed);
  return integer(reply.list[0]);
}

void RedisRepository::note_attempts(const ServiceName& service, std::span<const store::AttemptCount> attempts) {
  while (!attempts.empty()) {
    const auto page = attempts.first(std::min(attempts.size(), kConfirmationBatch));
    attempts = attempts.subspan(page.size());
    std::vector<std::string> arguments{prefix_};
    for (const auto& [recipient, id, count] : page) {
      arguments.push_back(recipient_of(service, recipient.kind, recipient.name));
      arguments.push_back(recipient.name);
      arguments.push_back(member_of(id));
      arguments.push_back(std::to_string(count));
    }
    // On failure the count is too low; being over maxmemory is reported elsewhere.
    scripts_->attempts.run_async(link_, {}, std::move(arguments), [this](const RedisReply& reply) {
      if (!reply.is_error()) return;
      const Error why = error_in(reply);
      if (why.code() == ErrorCode::kIo) report(std::string("deliveries are not counted: ") + why.what());
    });
  }
}

void RedisRepository::look() {
  const std::int64_t asked = to_millis(options_.link.clock->wall_now());
  const RedisReply reply = run_script(scripts_->look, {random_word()});
  if (reply.list.size() != 3) throw Error(ErrorCode::kIo, "Redis sent an unexpected reply to a query of its state");
  if (std::abs(reply.list[2].integer / 2) >= kNoTime / 2) throw Error(ErrorCode::kIo, "Redis sent an invalid time");
  const std::int64_t ahead = reply.list[2].integer - (asked + to_millis(clock().wall_now())) / 2;
  ahead_.store(std::abs(ahead) < kSameClock ? 0 : ahead, std::memory_order_relaxed);
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
  std::vector<std::string> arguments{member_of(after), std::to_string(limit), std::to_string(most.count()), there(now)};
  for (const Recipient& recipient : recipients) {
    arguments.push_back(recipient_of(service, recipient.kind, recipient.name));
    arguments.push_back(recipient.name);
  }
  const RedisReply reply = run_script(scripts_->pending, std::move(arguments));
  if (reply.list.size() % kFieldsOfARow != 1)
    throw Error(ErrorCode::kIo, "Redis sent an unexpected reply to a query of pending messages");
  if (const std::uint64_t lost = number(reply.list[0].text); lost != 0) {
    report("Redis at " + options_.link.address.str() + " has lost " + std::to_string(lost) +
           " pending messages of a recipient: they are removed from its list");
  }
  for (std::size_t at = 1; at + kFieldsOfARow <= reply.list.size(); at += kFieldsOfARow) {
    const RedisReply* field = &reply.list[at];
    const std::uint64_t recipient = number(field[0].text);
    if (recipient >= recipients.size()) continue;
    PendingMessage row;
    row.id = id_of(field[1].text);
    row.service = service;
    row.recipient = recipients[recipient];
    row.listening = field[2].text == "1";
    row.event = field[3].text;
    row.data = rows.empty() || rows.back().id != row.id ? store::Payload(field[4].text) : rows.back().data;
    row.data_size = number(field[5].text);
    row.created = here(field[6].text);
    row.expires = here(field[7].text);
    row.collapse = field[8].text;
    row.attempts = static_cast<std::uint32_t>(number(field[9].text));
    rows.push_back(std::move(row));
  }
  return rows;
}

std::uint64_t RedisRepository::expire(WallTime now) {
  std::uint64_t pairs = 0;
  const char* letters = "1";
  for (std::size_t round = 0; round < kMaxRounds; ++round) {
    RedisReply reply;
    try {
      reply = run_script(scripts_->expire, {there(now), std::to_string(kScanPage), std::to_string(options_.limits.dead),
                                            std::to_string(options_.limits.dead_bytes.count()), letters});
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kLimitExceeded || *letters == '0') throw;
      // Redis has no memory for dead letters: drop expired messages without them, which frees memory.
      letters = "0";
      report(std::string("messages that expire leave no dead letters now: ") + e.what());
      continue;
    }
    if (reply.list.size() < 3) throw Error(ErrorCode::kIo, "Redis sent an unexpected reply to an expiry");
    withdrawals_.report(withdrawn_in(reply.list, 3, reply.list.size(), Withdrawn::Why::kExpired));
    pairs += integer(reply.list[1]);
    size_.store(integer(reply.list[2]), std::memory_order_relaxed);
    if (integer(reply.list[0]) < kScanPage) break;
  }
  return pairs;
}

// Returns the rows of the messages, those with several recipients ordered by name.
std::vector<PendingMessage> RedisRepository::read(const std::vector<std::string>& members, bool with_data) {
  std::vector<RedisCommand> commands;
  for (const std::string& member : members) {
    commands.push_back({"HMGET", prefix_ + "message:" + member, "service", "kind", "listening", "event", "size",
                        "created", "expires", "collapse"});
    if (with_data) commands.back().insert(commands.back().end(), {"data", "original"});
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
    row.recipient.kind = event::kind_from_name(fields[1].text);
    row.listening = fields[2].text == "1";
    row.event = fields[3].text;
    row.data_size = number(fields[4].text);
    row.created = here(fields[5].text);
    row.expires = here(fields[6].text);
    row.collapse = fields[7].text;
    if (with_data && fields.size() > 9) {
      row.data = fields[8].text;
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
      row.recipient.name = name;
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
  if (reply.list.size() != 2) throw Error(ErrorCode::kIo, "Redis sent an unexpected reply to a deletion");
  size_.store(integer(reply.list[1]), std::memory_order_relaxed);
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
    gone += drop(batch);
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
                          "event", "size", "created", "expires", "collapse", "attempts", "died", "original",
                          "payload"});
    const std::vector<RedisReply> replies = link_.execute_all(commands);
    for (std::size_t i = 0; i < replies.size(); ++i) {
      const std::vector<RedisReply>& field = replies[i].list;
      if (field.size() != 14 || field[0].is_nil()) continue;  // deleted in the meantime
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
            there(letters[count].died), store::import_key(store::first_id(m), m.recipient)})
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
    if (reply.list.size() < 3) throw Error(ErrorCode::kInternal, "Redis sent an unexpected reply to a requeue");
    const std::size_t fresh = std::min(3 + 4 * integer(reply.list[2]), std::uint64_t{reply.list.size()});
    withdrawals_.report(withdrawn_in(reply.list, 3, fresh, Withdrawn::Why::kReplaced));
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
