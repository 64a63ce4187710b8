#include <algorithm>
#include <future>
#include <memory>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "cluster/redis/redis_repository.h"
#include "cluster/redis/redis_repository_scripts.h"
#include "cluster/redis/redis_repository_values.h"
#include "observe/barrier.h"
#include "store/imported.h"

// The part of RedisRepository that stores messages.
namespace sse::cluster {
namespace {

using redis_values::id_of;
using redis_values::ids_of;
using redis_values::integer;
using redis_values::kAddBytes;
using redis_values::kAddMessages;
using redis_values::kDeclaredKey;
using redis_values::member_of;
using redis_values::note_replaced;
using redis_values::number;
using redis_values::refusal;
using store::AddOutcome;
using store::NewMessage;
using store::Withdrawn;

constexpr std::size_t kAddNames = 10'000;
constexpr std::size_t kFirstOutcome = 2;
constexpr std::size_t kFieldsOfAnOutcome = 6;

// `few`: why too few replicas have it; empty: enough of them do.
void refuse_unreplicated(AddOutcome& outcome, const std::string& few) {
  if (!few.empty() && !outcome.refusal) outcome.refusal = {ErrorCode::kUnavailable, few};
}

}  // namespace

// Appends the arguments of the add script for one message; returns its number of recipients.
std::size_t RedisRepository::append_message(const NewMessage& message, std::vector<std::string>& arguments) const {
  const std::vector<store::Recipient> to = store::recipients_of(message);
  for (std::string part :
       {message.service.str(), redis_values::stored_kind(message), std::string(message.target.listening ? "1" : "0"),
        message.event, message.data, there(message.created), there(message.expires), message.key, message.collapse,
        message.original.valid() ? member_of(message.original) : std::string(),
        std::string(message.awaited ? "1" : "0"), std::string(message.notify ? "1" : "0"),
        store::sender_key(message.key), std::to_string(message.ids_before), std::to_string(message.ids_behind),
        std::to_string(to.size())}) {
    arguments.push_back(std::move(part));
  }
  for (const store::Recipient& recipient : to) arguments.push_back(redis_values::stored_name(message, recipient));
  return to.size();
}

std::vector<AddOutcome> RedisRepository::outcomes_of(std::span<const NewMessage> messages, const RedisReply& reply) {
  if (reply.list.size() != kFirstOutcome + kFieldsOfAnOutcome * messages.size())
    throw Error(ErrorCode::kInternal, "Redis sent an unexpected reply to added messages");
  size_.store(integer(reply.list[0]), std::memory_order_relaxed);
  std::vector<AddOutcome> outcomes;
  outcomes.reserve(messages.size());
  for (std::size_t i = 0; i < messages.size(); ++i)
    outcomes.push_back(outcome_of(messages[i], &reply.list[kFirstOutcome + kFieldsOfAnOutcome * i]));
  std::vector<Withdrawn> gone;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const RedisReply* field = &reply.list[kFirstOutcome + kFieldsOfAnOutcome * i];
    outcomes[i].before = ids_of(field[4].text);
    outcomes[i].behind = ids_of(field[5].text);
    if (field[0].text.empty()) note_replaced(messages[i], field[3].text, gone);
  }
  withdrawals_.report(std::move(gone));
  take_reports(reply.list[1]);
  return outcomes;
}

std::vector<std::string> RedisRepository::keys_of_add() const {
  std::vector<std::string> keys{prefix_ + kDeclaredKey};
  if (!options_.node.empty()) keys.push_back(prefix_ + "accepted:" + options_.node);
  return keys;
}

void RedisRepository::note_accepted(std::span<const AddOutcome> outcomes) {
  if (options_.node.empty()) return;
  for (const AddOutcome& one : outcomes) {
    if (!one.refusal && !one.repeated) replication_.accepted(member_of(one.id));
  }
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
    bool replicated = true;
    const auto promise = std::make_shared<std::promise<std::optional<AddOutcome::Refusal>>>();
    std::future<std::optional<AddOutcome::Refusal>> failure = promise->get_future();
    const auto take = [&, promise, begin, end](const RedisReply& reply) {
      std::optional<AddOutcome::Refusal> why;
      try {
        if (reply.is_error()) throw error_in(reply);
        for (AddOutcome& one : outcomes_of(messages.subspan(begin, end - begin), reply))
          outcomes.push_back(std::move(one));
      } catch (const Error& e) {
        why = {e.code(), e.what()};
      } catch (const std::exception& e) {
        why = {ErrorCode::kInternal, std::string("cannot read the reply of Redis to added messages: ") + e.what()};
      }
      if (why) {
        promise->set_value(std::move(why));
        return;
      }
      // The waiting thread keeps alive what is used here.
      replication_.await([&, promise, begin, end](const std::string& few) {
        replicated = few.empty();
        for (AddOutcome& one : std::span(outcomes).subspan(begin)) refuse_unreplicated(one, few);
        note_accepted(std::span(outcomes).subspan(begin));
        const bool last = end == messages.size() || !replicated;
        if (last && committed) observe::guarded("what follows stored messages", committed);
        promise->set_value(std::nullopt);
      });
    };
    scripts_->add.run_async(add_link_, keys_of_add(), std::move(arguments), take);
    if (const auto why = failure.get()) throw Error(why->code, why->sentence);
    begin = end;
    if (replicated) continue;
    // Each further part would wait in vain, too.
    AddOutcome untried;
    untried.refusal = {ErrorCode::kUnavailable, "it is not stored: replicas of Redis are missing (--qos-replicas)"};
    outcomes.resize(messages.size(), untried);
    break;
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
  scripts_->add.run_async(add_link_, keys_of_add(), std::move(arguments), [this, shared](const RedisReply& reply) {
    AddOutcome outcome;
    try {
      if (reply.is_error()) throw error_in(reply);
      outcome = std::move(outcomes_of({&shared->first, 1}, reply).front());
    } catch (const Error& e) {
      outcome.refusal = {e.code(), e.what()};
      shared->second(std::move(shared->first), std::move(outcome));
      return;
    }
    replication_.await([this, shared, outcome](const std::string& few) {
      AddOutcome known = outcome;
      refuse_unreplicated(known, few);
      note_accepted({&known, 1});
      shared->second(std::move(shared->first), std::move(known));
    });
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
  const store::Recipient recipient =
      status == "full" ? redis_values::stored_recipient(redis_values::stored_kind(message), field[1].text)
                       : store::Recipient{};
  const Error why = refusal(options_.limits, status, recipient, {number(field[2].text), number(field[3].text)},
                            store::recipients_of(message).size(), message.data.size());
  outcome.refusal = {why.code(), why.what()};
  return outcome;
}

}  // namespace sse::cluster
