// Shard: replay of pending messages into streams.
#include <algorithm>
#include <utility>

#include "event/event.h"
#include "hub/channel_event.h"
#include "hub/client_tag.h"
#include "hub/names.h"
#include "hub/shard.h"

namespace sse::hub {

using event::TargetKind;

ReplaySession& Shard::begin_replay(Connection& connection) const {
  connection.replay = std::make_unique<ReplaySession>(seen_through(connection));
  return *connection.replay;
}

void Shard::request_page(Connection& connection) {
  settle(connection);
  ReplaySession& session = connection.replay ? *connection.replay : begin_replay(connection);
  if (options_.resumable && !session.resumes()) session.resume(published_);
  ReplayRequest request;
  request.connection = connection.id;
  request.shard = number_;
  if (session.only_channels().empty()) {
    request.recipients = names_of(connection);
  } else {
    for (const std::string& channel : session.only_channels())
      request.recipients.emplace_back(TargetKind::kChannel, channel);
  }
  request.after = session.cursor();
  request.only_events = session.only_events();
  request.history = session.catching_up();
  if (request.history) {
    const Attributes attributes = connection.unpacked_attributes();
    request.history->tenant = Indexes::name_of(connection, TargetKind::kTenant);
    request.history->client = attributes.parameter(kClientId);
    request.history->instance = attributes.parameter(kClientInstanceId);
  }
  if (delegate_.request_replay(request)) return;
  if (session.missing() || session.waits_to_catch_up()) {
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
  const ReplaySession& session = *connection.replay;
  // The page was requested before the stream left the channel.
  if (item.frame->recipient() == TargetKind::kChannel && !in_channel(connection, item.frame->channel())) return false;
  if (session.redelivers()) return session.is_overdue(message);
  if (item.position.valid() || !message.valid()) {
    // The stream has left the channel meanwhile, and perhaps joined it again.
    if (!session.catching_up() || session.catching_up()->channel != item.frame->channel()) return false;
    // It has got the message from the store.
    if (message.valid() && replayed_.has(connection, message)) return false;
  }
  if (item.listening && !connection.listens(item.event)) return false;
  // The stream already has the message, and the client has time to confirm it. One that it has confirmed for another
  // channel is pending for a channel that it has joined since.
  if (session.only_channels().empty() && replayed_.has(connection, message)) return false;
  if (std::ranges::binary_search(carried, message)) return false;
  return !acks_.has_in_flight(connection, message);
}

// Whether a message that is in flight on the stream, or in its backlog, is pending for a recipient that its frame need
// not have named: for a channel that the stream is in, or, one of `several`, for its user or token.
bool Shard::has_for_other(const Connection& connection, const event::Frame& frame, bool several,
                          const std::vector<MessageId>& carried) const {
  const bool in_its_channel = frame.recipient() == TargetKind::kChannel && in_channel(connection, frame.channel());
  if (!in_its_channel && (!several || frame.recipient() == TargetKind::kChannel)) return false;
  return std::ranges::binary_search(carried, frame.message()) || acks_.has_in_flight(connection, frame.message());
}

void Shard::replay(ConnectionId id, ReplayPage page) {
  loop_.assert_in_loop_thread();
  Connection* connection = find(id);
  failed_reads_.set_readable(!page.failed);
  if (connection == nullptr || !connection->replay) return;
  ReplaySession& session = *connection->replay;
  if (page.failed && !session.redelivers()) {
    failed_reads_.add(
        {id, session.only_events(), session.only_channels()},
        [&](const std::string& event) { return connection->listens(event); },
        [&](const std::string& channel) { return in_channel(*connection, channel); });
  }
  std::vector<event::FrameRef> fresh;
  const std::vector<MessageId> carried =
      page.frames.empty() ? std::vector<MessageId>() : connection->carried_messages();
  MessageId before;
  for (std::size_t i = 0; i < page.frames.size(); ++i) {
    ReplayFrame& item = page.frames[i];
    const MessageId message = item.frame->message();
    // The rows of one message follow each other.
    const bool several = message == std::exchange(before, message) ||
                         (i + 1 < page.frames.size() && page.frames[i + 1].frame->message() == message);
    if (session.covers(message)) {
      delegate_.acknowledged_before(item.frame->recipient(), recipient_name(*connection, *item.frame), message);
      continue;
    }
    if (!wanted(*connection, item, carried)) {
      if (has_for_other(*connection, *item.frame, several, carried))
        ShardChannels::note_further(*connection, *item.frame);
      continue;
    }
    // For several names of the stream.
    if (!fresh.empty() && fresh.back()->message() == message && message.valid()) {
      MessageRecipients& recipients = connection->message_recipients();
      for (const event::Frame* frame : {&*fresh.back(), &*item.frame})
        recipients.add(message, frame->recipient(), recipient_name(*connection, *frame));
      continue;
    }
    if (item.event == event::kSetDuration && !session.redelivers()) note_duration(*connection, item.frame);
    const bool caught_up = connection->channel_marks && !session.only_channels().empty();
    fresh.push_back(caught_up ? with_id_in_mark(*item.frame, item.position) : std::move(item.frame));
  }
  session.caught_up_through(page.history_through);
  if (const auto& channel = session.catching_up(); channel && page.last)
    fresh.push_back(encode_caught_up(channel->channel, options_.resumable ? channel->until : MessageId()));
  if (session.redelivers()) {
    metrics_.resent.add(fresh.size());
    if (!page.failed) {
      for (const MessageId gone : session.withdrawn(fresh, page.through, page.last)) acks_.forget(*connection, gone);
    }
  }
  begin_page(*connection, std::move(fresh), page.through, page.last);
}

void Shard::begin_page(Connection& connection, std::vector<event::FrameRef> page, MessageId through, bool last) {
  ReplaySession& session = *connection.replay;
  const std::vector<event::FrameRef>& frames = session.begin_page(std::move(page), through, last);
  if (session.reads_all()) connection.replayed_through = std::max(connection.replayed_through, session.cursor());
  replayed_.note(connection, frames, loop_.now());
  // A message that arrived live and is also in the page is sent once. One that arrived live and is not in the page was
  // confirmed on another stream of the recipient, or stored after the read: it is sent all the same.
  if (!frames.empty()) {
    session.drop_held([&](MessageId message) { return replayed_.has(connection, message); },
                      [&](const event::Frame& frame) { return connection.size_of(frame); });
  }
  continue_replay(connection);
}

void Shard::continue_replay(Connection& connection) {
  class Output final : public ReplaySession::Output {
   public:
    Output(Shard& shard, Connection& stream) : shard_(shard), connection_(stream) {}

    bool fits(const event::Frame& frame) const override {
      return connection_.backlog_bytes() + connection_.size_of(frame) <= shard_.options_.stream.max_backlog;
    }
    bool append(const event::FrameRef& frame) override {
      if (shard_.append(connection_, frame)) shard_.metrics_.deliveries.add();
      return connection_.open();
    }
    State flush() override {
      connection_.flush();
      if (!connection_.open()) return State::kClosed;
      return connection_.backlog_bytes() > 0 ? State::kBacklog : State::kEmpty;
    }

   private:
    Shard& shard_;
    Connection& connection_;
  };
  ReplaySession& session = *connection.replay;
  Output out(*this, connection);
  if (session.write_page(out) != Output::State::kEmpty) return;
  if (session.at_last_page() && !session.next_pass(seen_through(connection))) {
    end_replay(connection);
  } else {
    request_page(connection);
  }
}

void Shard::end_replay(Connection& connection) {
  const std::unique_ptr<ReplaySession> done = std::move(connection.replay);
  for (const event::FrameRef& frame : done->take_held()) {
    if (!connection.open()) return;
    append(connection, frame);
  }
}

void Shard::refresh_pending() {
  loop_.assert_in_loop_thread();
  const std::vector<RecentConfirmations::Entry> confirmed = acks_.recent();
  for (Connection* connection : registry_.all()) refresh_pending(*connection, confirmed);
}

void Shard::refresh_pending(Connection& connection, const std::vector<RecentConfirmations::Entry>& confirmed) {
  const bool idle = !connection.replay;
  ReplaySession& session = idle ? begin_replay(connection) : *connection.replay;
  for (auto entry = std::ranges::lower_bound(confirmed, connection.id, {}, &RecentConfirmations::Entry::connection);
       entry != confirmed.end() && entry->connection == connection.id; ++entry)
    session.cover(entry->message);
  if (idle) {
    request_page(connection);
  } else {
    session.read_again();
  }
}

void Shard::retry_reads() {
  if (failed_reads_.empty()) return;
  const auto due =
      failed_reads_.take_due(loop_.now(), [this](ConnectionId connection) { return find(connection) != nullptr; });
  if (due.empty()) return;
  const std::vector<RecentConfirmations::Entry> confirmed = acks_.recent();
  for (const FailedReads::Pass& pass : due) {
    Connection* connection = find(pass.connection);
    if (connection == nullptr) continue;
    if (!pass.only_channels.empty()) {
      replay_channels(*connection, pass.only_channels, {});
    } else if (pass.only_events.empty()) {
      refresh_pending(*connection, confirmed);
    } else {
      replay_for(*connection, pass.only_events);
    }
  }
}

void Shard::replay_for(Connection& connection, const std::vector<std::string>& new_listeners) {
  const bool idle = !connection.replay;
  if (idle) connection.replay = std::make_unique<ReplaySession>();
  connection.replay->add_listeners(new_listeners);
  if (idle && connection.replay->next_pass(seen_through(connection))) request_page(connection);
}

void Shard::replay_channels(Connection& connection, const std::vector<std::string>& channels,
                            std::vector<ChannelCatchUp> catch_ups) {
  const bool idle = !connection.replay;
  if (idle) connection.replay = std::make_unique<ReplaySession>();
  if (!channels.empty()) connection.replay->add_channels(channels, connection.channel_marks);
  for (ChannelCatchUp& one : catch_ups) {
    // Events of channels come to all shards in one order: the stream gets live what this one has not begun yet.
    one.until = published_;
    connection.replay->add_catch_up(std::move(one));
  }
  if (idle && connection.replay->next_pass(seen_through(connection))) request_page(connection);
}

}  // namespace sse::hub
