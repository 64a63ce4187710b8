#include "cluster/redis/redis_repository.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <random>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "cluster/redis/redis_repository_scripts.h"
#include "cluster/redis/redis_repository_values.h"
#include "observe/barrier.h"
#include "observe/metrics.h"

namespace sse::cluster {
namespace {

using redis_values::id_of;
using redis_values::integer;
using redis_values::kConfirmationBatch;
using redis_values::kMemberSize;
using redis_values::kScanPage;
using redis_values::member_of;
using redis_values::number;
using redis_values::read_recipient;
using redis_values::recipient_of;
using redis_values::withdrawn_in;
using store::PendingMessage;
using store::Recipient;
using store::Withdrawn;

constexpr std::size_t kFieldsOfARow = 10;
// Bounds the loop in case Redis reports forever that there is more.
constexpr std::size_t kMaxRounds = 100'000;
constexpr std::chrono::milliseconds kRetry{200};
// A smaller difference is due to the round trip and rounding.
constexpr std::int64_t kSameClock = 1000;
// Infinite times are not converted.
constexpr std::int64_t kNoTime = std::int64_t{1} << 60;

std::string random_epoch() {
  std::random_device random;
  return std::to_string(random()) + "-" + std::to_string(random());
}

RedisLinkOptions named_link(RedisLinkOptions options, const char* name) {
  options.name = name;
  return options;
}

}  // namespace

RedisRepository::RedisRepository(Options options, std::chrono::milliseconds timeout)
    : options_(std::move(options)),
      prefix_(options_.prefix + "pending:"),
      scripts_(std::make_unique<const Scripts>(options_.limits)),
      link_(named_link(options_.link, "sse-pending"), RedisLink::Mode::kCommands, nullptr),
      add_link_(add_link_options(), RedisLink::Mode::kCommands, nullptr),
      replication_(add_link_, replication_options(options_)),
      subscriber_(named_link(options_.link, "sse-settled"), RedisLink::Mode::kSubscriber, this) {
  link_.start();
  add_link_.start();
  subscriber_.start();
  link_.require_up(timeout);
  add_link_.require_up(timeout);
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
  add_link_.stop();
  link_.stop();
}

void RedisRepository::report_withdrawn(const ServiceName& service, Withdraw withdraw) {
  withdrawals_.set(service, std::move(withdraw));
}

void RedisRepository::report_settled(const ServiceName& service, Settled settled) {
  settlements_.set(service, std::move(settled));
}

RedisReplication::Options RedisRepository::replication_options(const Options& options) {
  return {options.replicas, options.replica_timeout, options.not_replicated, options.on_error};
}

RedisLinkOptions RedisRepository::add_link_options() {
  RedisLinkOptions link = named_link(options_.link, "sse-add");
  link.answer_timeout += options_.replicas == 0 ? std::chrono::milliseconds{} : options_.replica_timeout;
  if (options_.node.empty()) return link;
  link.greeting = {"GET", prefix_ + "accepted:" + options_.node};
  // The link is started when all members exist.
  link.on_greeting = [this](const RedisReply& last) { replication_.greeted(last); };
  return link;
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

std::vector<std::string> RedisRepository::limits() const {
  const store::StoreLimits& limits = options_.limits;
  return {std::to_string(limits.per_recipient), std::to_string(limits.bytes_per_recipient.count()),
          std::to_string(limits.total), std::to_string(limits.total_bytes.count())};
}

RedisReply RedisRepository::run_script(const RedisScript& script, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), prefix_);
  return script.run(link_, {prefix_ + redis_values::kDeclaredKey}, arguments);
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
  if (!batch.empty()) drop(batch, store::DeliveryReport::Outcome::kConfirmed);
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

std::uint64_t RedisRepository::drop(const std::vector<Confirmation>& pairs, store::DeliveryReport::Outcome outcome) {
  std::vector<std::string> arguments{std::string(store::outcome_name(outcome))};
  for (const Confirmation& one : pairs) {
    arguments.push_back(one.recipient);
    arguments.push_back(one.name);
    arguments.push_back(member_of(one.id));
  }
  const RedisReply reply = run_script(scripts_->drop, std::move(arguments));
  if (reply.list.size() != 3) throw Error(ErrorCode::kIo, "Redis sent an unexpected reply to a confirmation");
  size_.store(integer(reply.list[1]), std::memory_order_relaxed);
  take_reports(reply.list[2]);
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
  const RedisReply reply = run_script(scripts_->look, {random_epoch()});
  if (reply.list.size() != 4) throw Error(ErrorCode::kIo, "Redis sent an unexpected reply to a query of its state");
  if (std::abs(reply.list[2].integer / 2) >= kNoTime / 2) throw Error(ErrorCode::kIo, "Redis sent an invalid time");
  const std::int64_t ahead = reply.list[2].integer - (asked + to_millis(clock().wall_now())) / 2;
  ahead_.store(std::abs(ahead) < kSameClock ? 0 : ahead, std::memory_order_relaxed);
  const std::string& epoch = reply.list[1].text;
  waiting_reports_.store(integer(reply.list[3]), std::memory_order_relaxed);
  const std::uint64_t before = size_.exchange(integer(reply.list[0]), std::memory_order_relaxed);
  if (!epoch_.empty() && epoch_ != epoch) {
    report("Redis at " + options_.link.address.str() + " has lost its data: about " + std::to_string(before) +
           " pending messages are gone; run it with 'appendonly yes'");
  }
  epoch_ = epoch;
}

std::vector<PendingMessage> RedisRepository::pending(const ServiceName& service, std::span<const Recipient> recipients,
                                                     MessageId after, std::size_t limit, ByteCount max_bytes,
                                                     WallTime now) {
  std::vector<PendingMessage> rows;
  if (limit == 0 || recipients.empty()) return rows;
  std::vector<std::string> arguments{member_of(after), std::to_string(limit), std::to_string(max_bytes.count()),
                                     there(now)};
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
    if (reply.list.size() < 4) throw Error(ErrorCode::kIo, "Redis sent an unexpected reply to an expiry");
    take_reports(reply.list[3]);
    withdrawals_.report(withdrawn_in(reply.list, 4, reply.list.size(), Withdrawn::Why::kExpired));
    pairs += integer(reply.list[1]);
    size_.store(integer(reply.list[2]), std::memory_order_relaxed);
    if (integer(reply.list[0]) < kScanPage) break;
  }
  return pairs;
}

}  // namespace sse::cluster
