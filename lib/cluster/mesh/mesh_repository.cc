#include "cluster/mesh/mesh_repository.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "cluster/core/cluster.h"
#include "cluster/core/topics.h"
#include "cluster/core/wire.h"
#include "cluster/mesh/store_query.h"
#include "observe/log.h"

namespace sse::cluster {

using store::PendingMessage;
using store::Recipient;

namespace {

constexpr std::size_t kPage = 10'000;
// Maximum that another node may query at once, and that its reply may contain.
constexpr std::uint64_t kMaxPendingBytes = std::uint64_t{64} << 20;
// Maximum number of threads that wait for other nodes on behalf of another node, which may wait for this one's in turn.
constexpr std::size_t kMaxSettling = 4;
// Maximum number of outstanding queries; a node accepts some hundreds at a time.
constexpr std::size_t kMaxOutstandingCalls = 200;
constexpr int kMaxBusyRetries = 3;

template <class Query>
std::string command_of(const Query& query) {
  return encode(StoreCommand{encode(query)});
}

// To the nodes with messages for the recipient of the query.
template <class Query>
Command command_for(const Query& query) {
  return {pending_topic(query.service, query.recipient), command_of(query)};
}

std::string shown(const std::string& bus_name) {
  return "node '" + printable(node_of(bus_name), 200) + "'";
}

// Why the replies may be incomplete; empty if they are complete.
std::string why_unread(const Replies& answers) {
  for (const Replies::One& one : answers.answers) {
    if (is_unread(one.bytes)) return shown(one.node) + " cannot read its messages: " + unread_reason(one.bytes);
  }
  if (!answers.failure.empty()) return answers.failure;
  if (answers.silent == 0) return "";
  return (answers.missing.empty() ? "a node" : shown(answers.missing.front())) + " that may have some does not reply";
}

std::uint64_t bytes_of(const std::vector<PendingMessage>& messages) {
  std::uint64_t n = 0;
  for (const PendingMessage& message : messages) n += message.data.size();
  return n;
}

}  // namespace

std::string pending_topic(const ServiceName& service, const Recipient& recipient) {
  return "pending:" + receiver_topic(service, recipient.kind, recipient.name);
}

// Shared with the callback that sets it, which may run after the waiting thread has returned.
class MeshRepository::Signal {
 public:
  void set() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    set_ = true;
    changed_.notify_all();
  }
  void wait(SteadyTime deadline, const Clock& clock) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    while (!set_ && changed_.wait_until(mutex_, deadline, clock)) {
    }
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool set_ GUARDED_BY(mutex_) = false;
};

MeshRepository::MeshRepository(Own own, Bus& bus, Interest& interest, Options options)
    : own_(own), bus_(bus), interest_(interest), options_(std::move(options)) {}

void MeshRepository::start() {
  wait(subscribe_for_all());
  refresh_other_nodes();
}

void MeshRepository::refresh_other_nodes() {
  bus_.start_call({{broadcast_topic(), command_of(RefreshQuery{})}});
}

MeshRepository::Signals MeshRepository::subscribe_for_all() {
  Signals signals;
  store::MessageFilter filter;
  std::uint64_t skip = 0;
  for (;;) {
    const std::vector<PendingMessage> page = own_.catalog.list(filter, skip, kPage);
    Recipients recipients;
    for (const PendingMessage& message : page) recipients.emplace_back(message.service, message.recipient);
    for (auto& signal : subscribe_for(recipients)) signals.push_back(std::move(signal));
    if (page.size() < kPage) return signals;
    // The recipients of the last message may continue on the next page.
    const MessageId last(page.back().id.value() - 1);
    skip = page.front().id.value() > last.value() ? skip + kPage : 0;
    if (skip == 0) filter.after = last;
  }
}

MeshRepository::Signals MeshRepository::subscribe_for(const Recipients& recipients, bool adding) {
  Signals signals;
  std::vector<std::string> topics;
  const auto fresh = std::make_shared<Signal>();
  std::unordered_set<const Signal*> seen;
  const MutexLock lock(mutex_);
  for (const auto& [service, recipient] : recipients) {
    std::string topic = pending_topic(service, recipient);
    const auto [entry, is_new] = held_.try_emplace(topic, HeldMessages{service, recipient, 0, fresh});
    ++entry->second.added;
    if (adding) ++entry->second.underway;
    touch(topic);
    if (seen.insert(entry->second.known.get()).second) signals.push_back(entry->second.known);
    if (is_new) topics.push_back(std::move(topic));
  }
  // Under the lock, so that unsubscribe_unused() cannot release the topic in between.
  if (!topics.empty()) interest_.acquire(topics, [fresh] { fresh->set(); });
  return signals;
}

void MeshRepository::added(const Recipients& recipients) {
  for (const auto& [service, recipient] : recipients) {
    std::string topic = pending_topic(service, recipient);
    // Not locked over the whole loop, because event loops that confirm messages use the lock.
    const MutexLock lock(mutex_);
    --held_.at(topic).underway;
    // If the store refused the message, there may be none for the topic.
    touch(std::move(topic));
  }
}

void MeshRepository::wait(const Signals& signals) const {
  const SteadyTime deadline = options_.clock->steady_now() + options_.timeout;
  for (const auto& signal : signals) signal->wait(deadline, *options_.clock);
}

void MeshRepository::unsubscribe_unused() {
  std::unordered_map<std::string, int> look;
  {
    const MutexLock lock(mutex_);
    look.swap(touched_);
  }
  while (!look.empty()) {
    const auto next = look.extract(look.begin());
    const std::string& topic = next.key();
    HeldMessages held;
    {
      const MutexLock lock(mutex_);
      const auto found = held_.find(topic);
      if (found == held_.end()) continue;
      held = found->second;
    }
    if (held.underway != 0) continue;  // added() touches it again
    bool pending = false;
    try {
      pending =
          !own_.messages.pending(held.service, {&held.recipient, 1}, MessageId(), 1, ByteCount(1), WallTime::min())
               .empty();
    } catch (const Error&) {
      // Check these topics again the next time.
      const MutexLock lock(mutex_);
      touched_.insert(look.begin(), look.end());
      touched_.emplace(topic, next.mapped());
      throw;
    }
    const MutexLock lock(mutex_);
    if (pending) {
      if (next.mapped() > 1) touched_.emplace(topic, next.mapped() - 1);
      continue;
    }
    const auto found = held_.find(topic);
    // A message was added in the meantime.
    if (found == held_.end() || found->second.added != held.added) continue;
    held_.erase(found);
    interest_.release({topic});
  }
}

std::vector<store::AddOutcome> MeshRepository::add_all(std::span<const store::NewMessage> messages) {
  const bool imports =
      std::ranges::any_of(messages, [](const store::NewMessage& message) { return message.original.valid(); });
  if (!imports) return add_here(messages);
  const std::vector<MessageId> known = find_known_imports(messages);
  std::vector<store::NewMessage> marked(messages.begin(), messages.end());
  for (std::size_t i = 0; i < known.size(); ++i) marked[i].repeats = known[i];
  return add_here(marked);
}

std::vector<MessageId> MeshRepository::find_known_imports(std::span<const store::NewMessage> messages) {
  std::vector<MessageId> known(messages.size());
  std::unordered_map<std::string, std::pair<KnownImportsQuery, std::vector<std::size_t>>> questions;  // by topic
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const store::NewMessage& message = messages[i];
    if (!message.original.valid()) continue;
    const Recipient recipient{message.target.kind, message.target.names.empty() ? "" : message.target.names.front()};
    auto& [question, numbers] = questions[pending_topic(message.service, recipient)];
    question.service = message.service;
    question.recipient = recipient;
    question.imports.push_back({message.key, message.original, message.collapse, message.created});
    numbers.push_back(i);
  }
  std::vector<Command> commands;
  std::vector<const std::vector<std::size_t>*> asked;
  for (const auto& [topic, question] : questions) {
    commands.push_back({topic, command_of(question.first)});
    asked.push_back(&question.second);
  }
  const std::vector<Replies> answers = call_in_batches(commands);
  for (std::size_t q = 0; q < asked.size(); ++q) {
    if (const std::string why = why_unread(answers.at(q)); !why.empty())
      throw Error(ErrorCode::kUnavailable, "cannot check for duplicates: " + why + "; import it again later");
    for (const Replies::One& one : answers[q].answers) {
      const std::vector<MessageId> ids = decode_known_imports_reply(one.bytes).ids;
      if (ids.size() != asked[q]->size()) {
        throw Error(ErrorCode::kUnavailable,
                    "the reply of " + shown(one.node) + " about imported messages is invalid; import them again later");
      }
      for (std::size_t n = 0; n < ids.size(); ++n) {
        MessageId& id = known[(*asked[q])[n]];
        id = std::max(id, ids[n]);
      }
    }
  }
  return known;
}

std::vector<store::AddOutcome> MeshRepository::add_here(std::span<const store::NewMessage> messages) {
  Recipients recipients;
  for (const store::NewMessage& message : messages) {
    if (message.target.kind == event::TargetKind::kAll)
      recipients.push_back({message.service, {message.target.kind, ""}});
    for (const std::string& name : message.target.names)
      recipients.push_back({message.service, {message.target.kind, name}});
  }
  // The subscription becomes known while the disk works.
  const Signals known = subscribe_for(recipients, true);
  std::vector<store::AddOutcome> outcomes;
  {
    // Called also if the store throws.
    const std::unique_ptr<const Recipients, std::function<void(const Recipients*)>> underway(
        &recipients, [this](const Recipients* these) { added(*these); });
    outcomes = own_.messages.add_all(messages);
  }
  wait(known);
  apply_newer_replacements(messages, outcomes);
  return outcomes;
}

// A message sent now is the newest, whatever the clocks say; an imported message or a dead letter may not be.
void MeshRepository::apply_newer_replacements(std::span<const store::NewMessage> messages,
                                              std::vector<store::AddOutcome>& outcomes) {
  std::vector<Collapsing> fresh;
  const std::vector<std::string> everybody{""};
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const store::NewMessage& message = messages[i];
    if (message.collapse.empty() || outcomes[i].refusal || outcomes[i].repeated) continue;
    const bool all = message.target.kind == event::TargetKind::kAll;
    for (const std::string& name : all ? everybody : message.target.names) {
      fresh.push_back({message.service,
                       {message.target.kind, name},
                       message.collapse,
                       message.original.valid() ? message.original : outcomes[i].id,
                       i});
    }
  }
  const std::vector<MessageId> newer = replace_older_everywhere(fresh);
  for (std::size_t k = 0; k < fresh.size(); ++k) {
    const Collapsing& one = fresh[k];
    if (!newer[k].valid() || !messages[one.number].original.valid()) continue;
    if (own_.messages.replace_older(one.service, one.recipient, one.collapse, newer[k]).count == 0) continue;
    outcomes[one.number].repeated = true;
    outcomes[one.number].pending = 0;
  }
}

// Limits the number of outstanding queries, and repeats those for which a node was too busy.
std::vector<Replies> MeshRepository::call_in_batches(const std::vector<Command>& commands) {
  std::vector<Replies> all;
  all.reserve(commands.size());
  for (std::size_t begin = 0; begin < commands.size(); begin += kMaxOutstandingCalls) {
    const std::size_t end = std::min(begin + kMaxOutstandingCalls, commands.size());
    std::vector<Command> part(commands.begin() + static_cast<std::ptrdiff_t>(begin),
                              commands.begin() + static_cast<std::ptrdiff_t>(end));
    std::vector<Replies> answers = bus_.start_call(part)->wait(options_.timeout);
    const auto busy = [](const Replies& one) {
      return std::ranges::any_of(one.answers, [](const Replies::One& answer) { return is_unread(answer.bytes); });
    };
    for (int more = kMaxBusyRetries; more > 0 && std::ranges::any_of(answers, busy); --more) {
      for (std::size_t i = 0; i < answers.size(); ++i) {
        if (busy(answers[i])) answers[i] = std::move(bus_.start_call({part[i]})->wait(options_.timeout).front());
      }
    }
    std::ranges::move(answers, std::back_inserter(all));
  }
  return all;
}

// If a node does not reply in time, the recipient may receive both messages, the newer one last.
std::vector<MessageId> MeshRepository::replace_older_everywhere(const std::vector<Collapsing>& fresh) {
  std::vector<MessageId> newer(fresh.size());
  std::vector<Command> commands;
  commands.reserve(fresh.size());
  for (const Collapsing& one : fresh) {
    commands.push_back(command_for(ReplaceQuery{one.service, one.recipient, one.collapse, one.first}));
  }
  if (commands.empty()) return newer;
  const std::vector<Replies> answers = call_in_batches(commands);
  for (std::size_t i = 0; i < answers.size() && i < newer.size(); ++i) {
    for (const Replies::One& one : answers[i].answers)
      newer[i] = std::max(newer[i], decode_replace_reply(one.bytes).newer);
  }
  return newer;
}

void MeshRepository::report_withdrawn(const ServiceName& service, Withdraw withdraw) {
  if (!withdraw) {
    own_.messages.report_withdrawn(service, {});
    return;
  }
  own_.messages.report_withdrawn(service,
                                 [this, withdraw = std::move(withdraw)](const std::vector<store::Withdrawn>& gone) {
                                   withdrawn(gone);
                                   withdraw(gone);
                                 });
}

void MeshRepository::withdrawn(const std::vector<store::Withdrawn>& gone) {
  for (const store::Withdrawn& one : gone) {
    std::string topic = pending_topic(one.service, one.recipient);
    const MutexLock lock(mutex_);
    ++withdrawn_;
    if (held_.contains(topic)) touch(std::move(topic));
  }
}

void MeshRepository::confirm(const ServiceName& service, const Recipient& recipient, MessageId id) {
  const std::string topic = pending_topic(service, recipient);
  own_.messages.confirm(service, recipient, id);
  {
    const MutexLock lock(mutex_);
    if (held_.contains(topic)) touch(topic);
  }
  // Does not wait: if the confirmation is lost, the message is redelivered.
  bus_.start_call({{topic, command_of(ConfirmQuery{service, recipient, id})}});
}

void MeshRepository::note_attempts(const ServiceName& service, std::span<const store::AttemptCount> attempts) {
  own_.attempts.note_attempts(service, attempts);
  std::vector<Command> commands;
  commands.reserve(attempts.size());
  for (const auto& [recipient, id, count] : attempts) {
    commands.push_back(command_for(AttemptsQuery{service, recipient, id, count}));
  }
  if (commands.empty()) return;
  {
    const MutexLock lock(attempts_->mutex);
    ++attempts_->begun;
  }
  bus_.start_call(commands)->then(options_.timeout, [underway = attempts_](const std::vector<Replies>&) {
    const MutexLock lock(underway->mutex);
    ++underway->done;
    underway->changed.notify_all();
  });
}

void MeshRepository::settle_here() {
  if (options_.flush_attempts) options_.flush_attempts();
  const SteadyTime deadline = options_.clock->steady_now() + options_.timeout;
  const MutexLock lock(attempts_->mutex);
  // Waits for all of them, including later ones, because replies arrive in any order.
  while (attempts_->done < attempts_->begun &&
         attempts_->changed.wait_until(attempts_->mutex, deadline, *options_.clock)) {
  }
}

void MeshRepository::settle_attempts() {
  const auto asked = bus_.start_call({{broadcast_topic(), command_of(SettleQuery{})}});
  settle_here();
  asked->wait(options_.timeout);
}

std::vector<PendingMessage> MeshRepository::pending(const ServiceName& service, std::span<const Recipient> recipients,
                                                    MessageId after, std::size_t limit, ByteCount most, WallTime now) {
  std::vector<Command> commands;
  for (const Recipient& recipient : recipients) {
    commands.push_back(command_for(PendingQuery{service, recipient, after, limit, most}));
  }
  const auto asked = bus_.start_call(commands);
  std::vector<PendingMessage> all = own_.messages.pending(service, recipients, after, limit, most, now);
  // A source that has more messages is complete only up to this id.
  MessageId through(UINT64_MAX);
  const auto cut = [&](const std::vector<PendingMessage>& source) {
    if (!source.empty() && (source.size() >= limit || bytes_of(source) >= most.count()))
      through = std::min(through, source.back().id);
  };
  cut(all);
  const std::vector<Replies> answers = asked->wait(options_.timeout);
  std::string unread;  // why messages may be missing
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (std::string why = why_unread(answers[i]); !why.empty()) unread = std::move(why);
    for (const Replies::One& one : answers[i].answers) {
      if (is_unread(one.bytes)) continue;
      try {
        std::vector<PendingMessage> theirs = decode_pending_reply(one.bytes, service, recipients[i]).messages;
        cut(theirs);
        all.insert(all.end(), std::make_move_iterator(theirs.begin()), std::make_move_iterator(theirs.end()));
      } catch (const Error& e) {
        unread = "the reply of " + shown(one.node) + " is invalid: " + e.what();
      }
    }
  }
  std::erase_if(all, [&](const PendingMessage& message) { return message.id > through; });
  std::ranges::stable_sort(all, {}, &PendingMessage::id);
  if (!unread.empty()) throw store::PartialRead(unread, std::move(all));
  return all;
}

std::string MeshRepository::handle(std::string_view bytes) {
  return std::visit([this](const auto& query) { return answer(query); }, decode_store_query(bytes));
}

std::string MeshRepository::answer(const RefreshQuery& /*query*/) {
  if (options_.refresh_pending) options_.refresh_pending();
  return "";
}

std::string MeshRepository::answer(const SettleQuery& /*query*/) {
  const std::unique_ptr<InTransit, void (*)(InTransit*)> settling(attempts_.get(), [](InTransit* underway) {
    const MutexLock lock(underway->mutex);
    --underway->settling;
  });
  bool many = false;
  {
    const MutexLock lock(attempts_->mutex);
    many = ++attempts_->settling > kMaxSettling;
  }
  if (!many) settle_here();
  return "";
}

std::string MeshRepository::answer(const ConfirmQuery& query) {
  own_.messages.confirm(query.service, query.recipient, query.id);
  settlements_.report(query.service, query.recipient, query.id);
  const MutexLock lock(mutex_);
  touch(pending_topic(query.service, query.recipient));
  return "";
}

std::string MeshRepository::answer(const AttemptsQuery& query) {
  const store::AttemptCount attempted{query.recipient, query.id, query.count};
  own_.attempts.note_attempts(query.service, {&attempted, 1});
  return "";
}

std::string MeshRepository::answer(const KnownImportsQuery& query) {
  std::vector<store::NewMessage> messages;
  for (const KnownImportsQuery::Import& one : query.imports) {
    store::NewMessage message;
    message.service = query.service;
    message.target.kind = query.recipient.kind;
    if (query.recipient.kind != event::TargetKind::kAll) message.target.names.push_back(query.recipient.name);
    message.key = one.key;
    message.original = one.original;
    message.collapse = one.collapse;
    message.created = one.created;
    messages.push_back(std::move(message));
  }
  return encode(KnownImportsReply{own_.messages.known_imports(messages)});
}

std::string MeshRepository::answer(const ReplaceQuery& query) {
  const store::MessageRepository::Replaced replaced =
      own_.messages.replace_older(query.service, query.recipient, query.collapse, query.id);
  if (replaced.count != 0) {
    const MutexLock lock(mutex_);
    touch(pending_topic(query.service, query.recipient));
  }
  return encode(ReplaceReply{replaced.newer});
}

std::string MeshRepository::answer(const PendingQuery& query) {
  return encode(PendingReply{own_.messages.pending(
      query.service, {&query.recipient, 1}, query.after, std::min<std::uint64_t>(query.limit, kPage),
      ByteCount(std::min(query.most.count(), kMaxPendingBytes)), options_.clock->wall_now())});
}

std::uint64_t MeshRepository::expire(WallTime now) {
  std::uint64_t before = 0;
  {
    const MutexLock lock(mutex_);
    before = withdrawn_;
  }
  const std::uint64_t expired = own_.messages.expire(now);
  {
    const MutexLock lock(mutex_);
    // Expiries in a service that is not served here are not reported.
    if (withdrawn_ - before < expired) {
      for (const auto& [topic, held] : held_) touch(topic);
    }
  }
  unsubscribe_unused();
  if (unannounced_.exchange(false)) {
    try {
      start();
    } catch (const Error&) {
      unannounced_ = true;
      throw;
    }
  }
  return expired;
}

std::vector<MessageId> MeshRepository::requeue(MessageId id, const store::MessageFilter& filter, WallTime now) {
  std::vector<MessageId> ids = own_.dead.requeue(id, filter, now);
  Recipients recipients;
  std::vector<Collapsing> fresh;
  try {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      for (const PendingMessage& message : own_.catalog.find(ids[i])) {
        recipients.emplace_back(message.service, message.recipient);
        if (!message.collapse.empty())
          fresh.push_back({message.service, message.recipient, message.collapse, first_id(message), i});
      }
    }
  } catch (const Error& e) {
    // They are requeued anyway.
    observe::log_error("other nodes do not know yet the recipients of requeued messages", {{"error", e.what()}});
    unannounced_ = true;
  }
  wait(subscribe_for(recipients));
  const std::vector<MessageId> newer = replace_older_everywhere(fresh);
  for (std::size_t k = 0; k < fresh.size(); ++k) {
    if (!newer[k].valid()) continue;
    const Collapsing& one = fresh[k];
    if (own_.messages.replace_older(one.service, one.recipient, one.collapse, newer[k]).count != 0)
      ids[one.number] = MessageId();
  }
  std::erase_if(ids, [](MessageId one) { return !one.valid(); });
  return ids;
}

std::size_t MeshRepository::held() const {
  const MutexLock lock(mutex_);
  return held_.size();
}

}  // namespace sse::cluster
