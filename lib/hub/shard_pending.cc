// Shard: replay of pending messages into streams.
#include <algorithm>
#include <unordered_set>
#include <utility>

#include "event/event.h"
#include "hub/session_duration.h"
#include "hub/shard.h"

namespace sse::hub {

using event::TargetKind;

namespace {

// Delay between attempts to read a store that could not be read.
constexpr std::chrono::seconds kReadRetryDelay{1};

}  // namespace

Connection::Replay& Shard::begin_replay(Connection& connection) const {
  connection.replay = std::make_unique<Connection::Replay>();
  connection.replay->cursor = seen_through(connection);
  return *connection.replay;
}

void Shard::request_page(Connection& connection) {
  if (!connection.replay) begin_replay(connection);
  if (options_.resumable && !connection.replay->catch_up.begun()) connection.replay->catch_up.begin(published_);
  ReplayRequest request;
  request.connection = connection.id;
  request.shard = number_;
  request.recipients = names_of(connection);
  request.after = connection.replay->cursor;
  request.only_events = connection.replay->only_events;
  if (delegate_.request_replay(request)) return;
  if (connection.replay->catch_up.missing()) {
    begin_page(connection, {}, request.after, true);
  } else {
    end_replay(connection);
  }
}

// The id after which a further pass reads the store. In a cluster a pass starts at the beginning: another node's clock
// may be behind, so that messages it stored since have smaller ids than those already replayed.
MessageId Shard::seen_through(const Connection& connection) const {
  return options_.in_cluster ? MessageId() : connection.replayed_through;
}

bool Shard::wanted(const Connection& connection, const ReplayFrame& item, const std::vector<MessageId>& carried) const {
  const MessageId message = item.frame->message();
  const Connection::Replay& state = *connection.replay;
  if (state.resend) return std::ranges::binary_search(state.late, message);
  if (item.listening && !connection.listens(item.event)) return false;
  // The stream already has the message, and the client has time to confirm it.
  if (has_from_store(connection, message) || std::ranges::binary_search(carried, message)) return false;
  return !connection.in_flight || !in_flight_.at(connection.id.value()).contains(message);
}

void Shard::replay(ConnectionId id, std::vector<ReplayFrame> page, MessageId through, bool last, bool failed) {
  loop_.assert_in_loop_thread();
  Connection* connection = find(id);
  store_readable_ = !failed;
  if (connection == nullptr || !connection->replay) return;
  const Connection::Replay& state = *connection->replay;
  if (failed && !state.resend) note_failed_read({id, state.only_events});
  std::vector<event::FrameRef> fresh;
  const std::vector<MessageId> carried = page.empty() ? std::vector<MessageId>() : connection->carried_messages();
  for (ReplayFrame& item : page) {
    if (std::ranges::binary_search(state.covered, item.frame->message())) {
      const TargetKind recipient = item.frame->recipient();
      delegate_.acknowledged_before(recipient, recipient_name(*connection, recipient), item.frame->message());
      continue;
    }
    if (!wanted(*connection, item, carried)) continue;
    if (item.event == event::kSetDuration && !state.resend) note_duration(*connection, item.frame);
    fresh.push_back(std::move(item.frame));
  }
  if (state.resend) {
    metrics_.resent.add(fresh.size());
    // A message that is no longer in the store is no longer pending.
    const auto log = in_flight_.find(id.value());
    std::vector<MessageId> there;
    for (const event::FrameRef& frame : fresh) there.push_back(frame->message());
    std::ranges::sort(there);
    for (auto late = std::ranges::upper_bound(state.late, state.cursor); late != state.late.end(); ++late) {
      if (failed || log == in_flight_.end() || (*late > through && !last)) break;
      if (!std::ranges::binary_search(there, *late)) log->second.forget(*late);
    }
  }
  begin_page(*connection, std::move(fresh), through, last);
}

void Shard::begin_page(Connection& connection, std::vector<event::FrameRef> page, MessageId through, bool last) {
  Connection::Replay& state = *connection.replay;
  CatchUp& catch_up = state.catch_up;
  if (catch_up.arrives_live(through)) {
    std::erase_if(page, [&](const event::FrameRef& frame) { return catch_up.arrives_live(frame->message()); });
    through = page.empty() ? state.cursor : page.back()->message();
    last = true;
  }
  state.page = catch_up.merge(std::move(page), last);
  state.next_in_page = 0;
  state.last_page = last;
  state.cursor = std::max(state.cursor, through);
  if (state.only_events.empty() && !state.resend)
    connection.replayed_through = std::max(connection.replayed_through, state.cursor);
  note_replayed(connection, state.page);
  // A message that arrived live and is also in the page is sent once. One that arrived live and is not in the page was
  // confirmed on another stream of the recipient, or stored after the read: it is sent all the same.
  if (!state.page.empty()) {
    std::erase_if(state.queued, [&](const event::FrameRef& frame) {
      const bool had = frame->message().valid() && has_from_store(connection, frame->message());
      if (had) state.queued_bytes -= frame->size();
      return had;
    });
  }
  continue_replay(connection);
}

// Appends as much of the page as fits into the maximum backlog: a replay must not turn a healthy client into a slow
// consumer. The rest stays in the repository.
void Shard::continue_replay(Connection& connection) {
  Connection::Replay& state = *connection.replay;
  state.waiting = false;
  while (state.next_in_page < state.page.size()) {
    const event::FrameRef& frame = state.page[state.next_in_page];
    if (connection.backlog_bytes() + connection.size_of(*frame) > options_.stream.max_backlog) {
      connection.flush();
      if (!connection.open()) return;
      state.waiting = connection.backlog_bytes() > 0;
      if (state.waiting) return;
    }
    if (append(connection, frame)) metrics_.deliveries.add();
    if (!connection.open()) return;
    ++state.next_in_page;
  }
  state.page.clear();
  state.next_in_page = 0;
  connection.flush();
  if (!connection.open()) return;
  state.waiting = connection.backlog_bytes() > 0;
  if (state.waiting) return;
  if (state.last_page && !next_pass(connection)) {
    end_replay(connection);
  } else {
    request_page(connection);
  }
}

bool Shard::next_pass(Connection& connection) {
  Connection::Replay& state = *connection.replay;
  state.resend = false;
  state.late.clear();
  if (!state.new_listeners.empty()) {
    state.only_events = std::exchange(state.new_listeners, {});
    state.cursor = MessageId();
    return true;
  }
  state.only_events.clear();
  state.cursor = seen_through(connection);
  if (!state.again) return false;
  state.catch_up.take_all_from_store();
  state.again = false;
  return true;
}

void Shard::end_replay(Connection& connection) {
  const std::unique_ptr<Connection::Replay> done = std::move(connection.replay);
  for (const event::FrameRef& frame : done->queued) {
    if (!connection.open()) return;
    append(connection, frame);
  }
}

void Shard::refresh_pending() {
  loop_.assert_in_loop_thread();
  const Group* all = indexes_.find(TargetKind::kAll, "");
  if (all == nullptr) return;
  const std::vector<Connection*> members(all->members().begin(), all->members().end());
  const std::vector<RecentConfirmations::Entry> confirmed = recent_confirmations_.sorted();
  for (Connection* connection : members) refresh_pending(*connection, confirmed);
}

void Shard::refresh_pending(Connection& connection, const std::vector<RecentConfirmations::Entry>& confirmed) {
  const bool idle = !connection.replay;
  Connection::Replay& replay = idle ? begin_replay(connection) : *connection.replay;
  for (auto entry = std::ranges::lower_bound(confirmed, connection.id, {}, &RecentConfirmations::Entry::connection);
       entry != confirmed.end() && entry->connection == connection.id; ++entry)
    replay.cover(entry->message);
  if (idle) {
    request_page(connection);
  } else {
    replay.again = true;
  }
}

// Records a failed pass once, however many of its pages could not be read.
void Shard::note_failed_read(FailedRead unread) {
  const bool known = !unread_.empty() && unread_.back().connection == unread.connection &&
                     unread_.back().only_events == unread.only_events;
  if (!known) unread_.push_back(std::move(unread));
}

// While the store cannot be read, only one stream retries per kReadRetryDelay; once a read succeeds, all waiting
// streams do.
void Shard::retry_read() {
  if (unread_.empty() || loop_.now() < next_reading_) return;
  next_reading_ = loop_.now() + kReadRetryDelay;
  std::erase_if(unread_, [this](const FailedRead& unread) { return find(unread.connection) == nullptr; });
  std::deque<FailedRead> now;
  now.swap(unread_);
  if (!store_readable_ && now.size() > 1) {
    unread_.assign(std::make_move_iterator(now.begin() + 1), std::make_move_iterator(now.end()));
    now.resize(1);
  }
  const std::vector<RecentConfirmations::Entry> confirmed = recent_confirmations_.sorted();
  std::unordered_set<std::uint64_t> busy;
  for (FailedRead& unread : now) {
    Connection* connection = find(unread.connection);
    if (connection == nullptr) continue;
    // One pass per connection at a time: by the next one the messages of the first have been confirmed.
    if (!busy.insert(unread.connection.value()).second) {
      unread_.push_back(std::move(unread));
      continue;
    }
    if (unread.only_events.empty()) {
      refresh_pending(*connection, confirmed);
    } else {
      replay_for(*connection, unread.only_events);
    }
  }
}

void Shard::replay_for(Connection& connection, const std::vector<std::string>& new_listeners) {
  const bool idle = !connection.replay;
  if (idle) connection.replay = std::make_unique<Connection::Replay>();
  auto& wanted = connection.replay->new_listeners;
  wanted.insert(wanted.end(), new_listeners.begin(), new_listeners.end());
  if (idle && next_pass(connection)) request_page(connection);
}

}  // namespace sse::hub
