#include <algorithm>
#include <iterator>
#include <memory>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "cluster/core/cluster.h"
#include "cluster/core/topics.h"
#include "cluster/core/wire.h"
#include "cluster/mesh/mesh_repository.h"
#include "cluster/mesh/store_query.h"

// The part of MeshRepository that queries the repositories of other nodes, and answers their queries.
namespace sse::cluster {

using store::PendingMessage;
using store::Recipient;

namespace {

constexpr std::size_t kMaxQueried = 10'000;
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

void MeshRepository::refresh_other_nodes() {
  bus_.start_call({{broadcast_topic(), command_of(RefreshQuery{})}});
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
                                                    MessageId after, std::size_t limit, ByteCount max_bytes,
                                                    WallTime now) {
  std::vector<Command> commands;
  for (const Recipient& recipient : recipients) {
    commands.push_back(command_for(PendingQuery{service, recipient, after, limit, max_bytes}));
  }
  const auto asked = bus_.start_call(commands);
  std::vector<PendingMessage> all = own_.messages.pending(service, recipients, after, limit, max_bytes, now);
  // A source that has more messages is complete only up to this id.
  MessageId through(UINT64_MAX);
  const auto cut = [&](const std::vector<PendingMessage>& source) {
    if (!source.empty() && (source.size() >= limit || bytes_of(source) >= max_bytes.count()))
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
  if (partial_ == nullptr) return encode(KnownImportsReply{std::vector<MessageId>(messages.size())});
  return encode(KnownImportsReply{partial_->known_imports(messages)});
}

store::PartialStore::Replaced MeshRepository::replace_here(const ServiceName& service,
                                                           const store::Recipient& recipient,
                                                           const std::string& collapse, MessageId than) {
  if (partial_ == nullptr) return {};
  return partial_->replace_older(service, recipient, collapse, than);
}

std::string MeshRepository::answer(const ReplaceQuery& query) {
  const store::PartialStore::Replaced replaced = replace_here(query.service, query.recipient, query.collapse, query.id);
  if (replaced.count != 0) {
    const MutexLock lock(mutex_);
    touch(pending_topic(query.service, query.recipient));
  }
  return encode(ReplaceReply{replaced.newer});
}

std::string MeshRepository::answer(const PendingQuery& query) {
  return encode(PendingReply{own_.messages.pending(
      query.service, {&query.recipient, 1}, query.after, std::min<std::uint64_t>(query.limit, kMaxQueried),
      ByteCount(std::min(query.max_bytes.count(), kMaxPendingBytes)), options_.clock->wall_now())});
}

}  // namespace sse::cluster
