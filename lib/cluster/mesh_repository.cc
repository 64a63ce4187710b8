#include "cluster/mesh_repository.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "cluster/cluster.h"
#include "cluster/topics.h"
#include "cluster/typed_json.h"
#include "cluster/wire.h"
#include "event/json.h"

namespace sse::cluster {

using delivery::PendingMessage;
using delivery::Recipient;
using event::Json;

namespace {

constexpr std::size_t kPage = 10'000;
// Of what another node may ask for at once, and of what comes.
constexpr std::uint64_t kMaxPendingBytes = std::uint64_t{64} << 20;
constexpr const char* kConfirm = "confirm";
constexpr const char* kPending = "pending";
constexpr const char* kLook = "look";
constexpr const char* kReplace = "replace";
constexpr const char* kAttempts = "attempts";

Json line_of(const char* what, const ServiceName& service, const Recipient& recipient) {
  return {
      {"do", what}, {"service", service.str()}, {"kind", event::kind_name(recipient.kind)}, {"name", recipient.name}};
}

// A line of JSON and the data, as often as it takes.
std::string write(const std::vector<PendingMessage>& messages) {
  std::string out;
  for (const PendingMessage& message : messages) {
    Json line{{"id", message.id.str()},
              {"event", message.event},
              {"size", message.data.size()},
              {"created", to_millis(message.created)},
              {"expires", to_millis(message.expires)},
              {"attempts", message.attempts}};
    if (message.listening) line["listening"] = true;
    if (message.damaged) line["damaged"] = true;
    if (!message.collapse.empty()) line["collapse"] = message.collapse;
    out += event::dump_json(line) + '\n' + message.data.str();
  }
  return out;
}

std::vector<PendingMessage> read(std::string_view bytes, const ServiceName& service, const Recipient& recipient) {
  std::vector<PendingMessage> messages;
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const Json line = event::parse_json(bytes.substr(0, end), "a pending message of another node");
    const std::uint64_t size = count_in(line, "size");
    if (end == std::string_view::npos || size > bytes.size() - end - 1)
      throw Error(ErrorCode::kInvalidArgument, "a pending message of another node is cut off");
    PendingMessage message;
    message.id = MessageId(event::id_field(line, "id"));
    message.service = service;
    message.recipient = recipient;
    message.event = event::string_field(line, "event");
    message.collapse = event::string_field(line, "collapse");
    message.listening = event::bool_field(line, "listening");
    message.damaged = event::bool_field(line, "damaged");
    message.created = from_millis(number_in(line, "created", 0));
    message.expires = from_millis(number_in(line, "expires", 0));
    message.attempts = static_cast<std::uint32_t>(count_in(line, "attempts"));
    message.data = std::string(bytes.substr(end + 1, size));
    message.data_size = size;
    bytes.remove_prefix(end + 1 + size);
    messages.push_back(std::move(message));
  }
  return messages;
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

// Shared with whoever sets it, who may be later than who waits.
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
  wait(hold_all_there_is());
  have_others_look();
}

void MeshRepository::have_others_look() {
  bus_.ask({{everybody_topic(), encode(StoreCommand{event::dump_json(Json{{"do", kLook}})})}});
}

MeshRepository::Signals MeshRepository::hold_all_there_is() {
  Signals signals;
  delivery::MessageFilter filter;
  std::uint64_t skip = 0;
  for (;;) {
    const std::vector<PendingMessage> page = own_.catalog.list(filter, skip, kPage);
    Recipients recipients;
    for (const PendingMessage& message : page) recipients.emplace_back(message.service, message.recipient);
    for (auto& signal : hold(recipients)) signals.push_back(std::move(signal));
    if (page.size() < kPage) return signals;
    // The last message may go on in the next page.
    const MessageId last(page.back().id.value() - 1);
    skip = page.front().id.value() > last.value() ? skip + kPage : 0;
    if (skip == 0) filter.after = last;
  }
}

MeshRepository::Signals MeshRepository::hold(const Recipients& recipients, bool adding) {
  Signals signals;
  std::vector<std::string> topics;
  const auto fresh = std::make_shared<Signal>();
  std::unordered_set<const Signal*> seen;
  const MutexLock lock(mutex_);
  for (const auto& [service, recipient] : recipients) {
    std::string topic = pending_topic(service, recipient);
    const auto [entry, is_new] = held_.try_emplace(topic, Held{service, recipient, 0, fresh});
    ++entry->second.added;
    if (adding) ++entry->second.underway;
    touch(topic);
    if (seen.insert(entry->second.known.get()).second) signals.push_back(entry->second.known);
    if (is_new) topics.push_back(std::move(topic));
  }
  // Under the lock, so that it cannot overtake letting go.
  if (!topics.empty()) interest_.acquire(topics, [fresh] { fresh->set(); });
  return signals;
}

void MeshRepository::added(const Recipients& recipients) {
  for (const auto& [service, recipient] : recipients) {
    std::string topic = pending_topic(service, recipient);
    // Not over all of them: loops that confirm come by.
    const MutexLock lock(mutex_);
    --held_.at(topic).underway;
    // Where the store refused it, nothing is held.
    touch(std::move(topic));
  }
}

void MeshRepository::wait(const Signals& signals) const {
  const SteadyTime deadline = options_.clock->steady_now() + options_.patience;
  for (const auto& signal : signals) signal->wait(deadline, *options_.clock);
}

void MeshRepository::let_go() {
  std::unordered_map<std::string, int> look;
  {
    const MutexLock lock(mutex_);
    look.swap(touched_);
  }
  while (!look.empty()) {
    const auto next = look.extract(look.begin());
    const std::string& topic = next.key();
    Held held;
    {
      const MutexLock lock(mutex_);
      const auto found = held_.find(topic);
      if (found == held_.end()) continue;
      held = found->second;
    }
    if (held.underway != 0) continue;  // added() has it looked at again
    bool pending = false;
    try {
      pending = !own_.messages.pending(held.service, {&held.recipient, 1}, MessageId(), 1, ByteCount(1), WallTime::min())
                     .empty();
    } catch (const Error&) {
      // What could not be looked at is looked at the next time.
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
    // Something came in between.
    if (found == held_.end() || found->second.added != held.added) continue;
    held_.erase(found);
    interest_.release({topic});
  }
}

// An operator deletes without asking this.
void MeshRepository::report_withdrawn(const ServiceName& service, Withdraw withdraw) {
  if (!withdraw) {
    own_.messages.report_withdrawn(service, {});
    return;
  }
  own_.messages.report_withdrawn(
      service, [this, withdraw = std::move(withdraw)](const std::vector<delivery::Withdrawn>& gone) {
        {
          const MutexLock lock(mutex_);
          for (const delivery::Withdrawn& one : gone) {
            std::string topic = pending_topic(one.service, one.recipient);
            if (held_.contains(topic)) touch(std::move(topic));
          }
        }
        withdraw(gone);
      });
}

std::vector<delivery::AddOutcome> MeshRepository::add_all(std::span<const delivery::NewMessage> messages) {
  Recipients recipients;
  for (const delivery::NewMessage& message : messages) {
    if (message.target.kind == event::TargetKind::kAll)
      recipients.push_back({message.service, {message.target.kind, ""}});
    for (const std::string& name : message.target.names)
      recipients.push_back({message.service, {message.target.kind, name}});
  }
  // The disk works meanwhile.
  const Signals known = hold(recipients, true);
  std::vector<delivery::AddOutcome> outcomes;
  {
    // Also where the store fails.
    const std::unique_ptr<const Recipients, std::function<void(const Recipients*)>> underway(
        &recipients, [this](const Recipients* these) { added(*these); });
    outcomes = own_.messages.add_all(messages);
  }
  wait(known);
  have_older_replaced(messages, outcomes);
  return outcomes;
}

// A younger message takes the place of those with its collapse key, at whichever node they are. Nobody waits: where it
// gets lost, the recipient gets both, the younger one last.
void MeshRepository::have_older_replaced(std::span<const delivery::NewMessage> messages,
                                         const std::vector<delivery::AddOutcome>& outcomes) {
  std::vector<Command> commands;
  const std::vector<std::string> everybody{""};
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const delivery::NewMessage& message = messages[i];
    if (message.collapse.empty() || outcomes[i].refusal || outcomes[i].repeated) continue;
    const bool all = message.target.kind == event::TargetKind::kAll;
    for (const std::string& name : all ? everybody : message.target.names) {
      const Recipient recipient{message.target.kind, name};
      Json line = line_of(kReplace, message.service, recipient);
      line["collapse"] = message.collapse;
      line["id"] = (message.original.valid() ? message.original : outcomes[i].id).str();
      commands.push_back({pending_topic(message.service, recipient), encode(StoreCommand{event::dump_json(line)})});
    }
  }
  if (!commands.empty()) bus_.ask(commands);
}

void MeshRepository::confirm(const ServiceName& service, const Recipient& recipient, MessageId id) {
  const std::string topic = pending_topic(service, recipient);
  own_.messages.confirm(service, recipient, id);
  {
    const MutexLock lock(mutex_);
    if (held_.contains(topic)) touch(topic);
  }
  Json line = line_of(kConfirm, service, recipient);
  line["id"] = id.str();
  // Nobody waits: a confirmation that gets lost makes the message come again.
  bus_.ask({{topic, encode(StoreCommand{event::dump_json(line)})}});
}

void MeshRepository::note_attempts(const ServiceName& service, std::span<const delivery::Attempted> attempts) {
  own_.attempts.note_attempts(service, attempts);
  std::vector<Command> commands;
  commands.reserve(attempts.size());
  for (const auto& [recipient, id, count] : attempts) {
    Json line = line_of(kAttempts, service, recipient);
    line["id"] = id.str();
    line["attempts"] = count;
    commands.push_back({pending_topic(service, recipient), encode(StoreCommand{event::dump_json(line)})});
  }
  if (!commands.empty()) bus_.ask(commands);
}

std::vector<PendingMessage> MeshRepository::pending(const ServiceName& service, std::span<const Recipient> recipients,
                                                    MessageId after, std::size_t limit, ByteCount most, WallTime now) {
  std::vector<Command> commands;
  for (const Recipient& recipient : recipients) {
    Json line = line_of(kPending, service, recipient);
    line["after"] = after.str();
    line["limit"] = limit;
    line["most"] = most.count();
    commands.push_back({pending_topic(service, recipient), encode(StoreCommand{event::dump_json(line)})});
  }
  const auto asked = bus_.ask(commands);
  std::vector<PendingMessage> all = own_.messages.pending(service, recipients, after, limit, most, now);
  // A source that has more is complete only up to here.
  MessageId through(UINT64_MAX);
  const auto cut = [&](const std::vector<PendingMessage>& source) {
    if (!source.empty() && (source.size() >= limit || bytes_of(source) >= most.count()))
      through = std::min(through, source.back().id);
  };
  cut(all);
  const std::vector<Answers> answers = asked->wait(options_.patience);
  std::string unread;  // why some may be missing
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i].failure.empty()) {
      unread = answers[i].failure;
    } else if (answers[i].silent != 0) {
      const std::vector<std::string>& silent = answers[i].missing;
      unread = (silent.empty() ? "a node" : "node '" + printable(node_of(silent.front()), 200) + "'") +
               " that may have some does not answer";
    }
    for (const Answers::One& one : answers[i].answers) {
      if (is_unread(one.bytes)) {
        unread =
            "node '" + printable(node_of(one.node), 200) + "' cannot read what it has: " + unread_reason(one.bytes);
        continue;
      }
      try {
        std::vector<PendingMessage> theirs = read(one.bytes, service, recipients[i]);
        cut(theirs);
        all.insert(all.end(), std::make_move_iterator(theirs.begin()), std::make_move_iterator(theirs.end()));
      } catch (const Error& e) {
        unread = "what node '" + printable(node_of(one.node), 200) + "' has makes no sense: " + e.what();
      }
    }
  }
  std::erase_if(all, [&](const PendingMessage& message) { return message.id > through; });
  std::ranges::stable_sort(all, {}, &PendingMessage::id);
  if (!unread.empty()) throw delivery::PartlyRead(unread, std::move(all));
  return all;
}

std::string MeshRepository::handle(std::string_view bytes) {
  const Json line = event::parse_json(bytes, "what another node's repository asks");
  if (!line.is_object()) throw Error(ErrorCode::kInvalidArgument, "another node's repository asks nonsense");
  const std::string what = event::string_field(line, "do");
  if (what == kLook) {
    if (options_.look_again) options_.look_again();
    return "";
  }
  const ServiceName service(event::string_field(line, "service"));
  const Recipient recipient{event::kind_from_name(event::string_field(line, "kind")),
                            event::string_field(line, "name")};
  if (what == kConfirm) {
    own_.messages.confirm(service, recipient, MessageId(event::id_field(line, "id")));
    const MutexLock lock(mutex_);
    touch(pending_topic(service, recipient));
    return "";
  }
  if (what == kAttempts) {
    const delivery::Attempted attempted{
        recipient, MessageId(event::id_field(line, "id")),
        static_cast<std::uint32_t>(std::min<std::uint64_t>(count_in(line, "attempts"), UINT32_MAX))};
    own_.attempts.note_attempts(service, {&attempted, 1});
    return "";
  }
  if (what == kReplace) {
    own_.messages.replace_older(service, recipient, event::string_field(line, "collapse"),
                                MessageId(event::id_field(line, "id")));
    const MutexLock lock(mutex_);
    touch(pending_topic(service, recipient));
    return "";
  }
  if (what != kPending)
    throw Error(ErrorCode::kInvalidArgument, "another node's repository asks for what this version does not know");
  return write(own_.messages.pending(service, {&recipient, 1}, MessageId(event::id_field(line, "after")),
                                     std::min<std::uint64_t>(count_in(line, "limit"), kPage),
                                     ByteCount(std::min(count_in(line, "most"), kMaxPendingBytes)),
                                     options_.clock->wall_now()));
}

std::uint64_t MeshRepository::expire(WallTime now) {
  const std::uint64_t expired = own_.messages.expire(now);
  if (expired != 0) {
    const MutexLock lock(mutex_);
    for (const auto& [topic, held] : held_) touch(topic);
  }
  let_go();
  return expired;
}

std::vector<MessageId> MeshRepository::requeue(MessageId id, const delivery::MessageFilter& filter, WallTime now) {
  std::vector<MessageId> ids = own_.dead.requeue(id, filter, now);
  Recipients recipients;
  for (const MessageId fresh : ids) {
    for (const PendingMessage& message : own_.catalog.find(fresh))
      recipients.emplace_back(message.service, message.recipient);
  }
  wait(hold(recipients));
  return ids;
}

std::size_t MeshRepository::held() const {
  const MutexLock lock(mutex_);
  return held_.size();
}

}  // namespace sse::cluster
