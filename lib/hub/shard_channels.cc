#include "hub/shard_channels.h"

#include <iterator>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "event/event.h"
#include "hub/channel_event.h"
#include "hub/names.h"
#include "observe/log.h"

namespace sse::hub {

using event::TargetKind;

std::vector<Subscription> ShardChannels::subscribe(Connection& connection, const std::vector<JoinedChannel>& channels,
                                                   std::uint32_t version) {
  loop_.assert_in_loop_thread();
  // What was sent before is for the streams that were in the channels then.
  streams_.finish_earlier(connection);
  std::vector<Subscription> result(channels.size());
  std::vector<std::string> joined;
  std::vector<ChannelCatchUp> catch_ups;
  std::size_t count = channels_of(connection).size();
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const std::string& name = channels[i].name.str();
    result[i].in = in_channel(connection, name);
    if (result[i].in || count == kMaxChannels || !connection.open()) continue;
    registry_.join_channel(connection, name, channels[i].source);
    presence_.joined(connection, name);
    result[i] = {true, true};
    ++count;
    // Without marks a client could not tell the position of an event from its own.
    if (channels[i].after && connection.channel_marks) {
      catch_ups.push_back({name, *channels[i].after, {}});
    } else {
      joined.push_back(name);
    }
  }
  if (joined.empty() && catch_ups.empty()) return result;
  joined_by(connection, version);
  std::erase_if(catch_ups, [&](const ChannelCatchUp& one) { return !in_channel(connection, one.channel); });
  if (connection.open()) streams_.replay_channels(connection, joined, std::move(catch_ups));
  return result;
}

bool ShardChannels::unsubscribe(Connection& connection, const std::string& channel) {
  loop_.assert_in_loop_thread();
  if (!in_channel(connection, channel)) return false;
  leave(connection, channel);
  return true;
}

// The stream stays open, and in its other channels. What it has been sent in the channel, its client may still confirm;
// what it has not been sent remains pending for others.
void ShardChannels::leave(Connection& connection, const std::string& channel) {
  streams_.finish_earlier(connection);
  if (!connection.open()) return;
  if (Indexes::name_of(connection, TargetKind::kChannel) == channel)
    connection.rare().former_channel = std::make_unique<std::string>(channel);
  if (connection.replay) {
    connection.replay->drop_messages_of(channel, [&](const event::Frame& frame) { return connection.size_of(frame); });
  }
  presence_.leaving(connection, channel);
  registry_.leave_channel(connection, channel);
  if (options_.in_cluster) delegate_.left({{TargetKind::kChannel, channel}});
}

void ShardChannels::review(Connection& connection) {
  loop_.assert_in_loop_thread();
  if (!review_ || !connection.indexed) return;
  std::vector<std::string> lost;
  const Identity who{UserId(std::string(Indexes::name_of(connection, TargetKind::kUser))),
                     TenantId(std::string(Indexes::name_of(connection, TargetKind::kTenant))),
                     {}};
  connection.membership.for_each_channel([&](const Group& group, ChannelSource source) {
    if (source != ChannelSource::kLasting && !review_->may_stay(who, group.name(), source))
      lost.emplace_back(group.name());
  });
  for (const std::string& channel : lost) revoke(connection, channel);
}

void ShardChannels::revoke(Connection& connection, const std::string& channel) {
  leave(connection, channel);
  if (!connection.open()) return;
  metrics_.channels_revoked.add();
  observe::log_debug("stream left a channel: no rule allows it any more",
                     {{"service", options_.service.str()},
                      {"connection", connection.id.str()},
                      {"user", std::string(Indexes::name_of(connection, TargetKind::kUser))},
                      {"channel", printable(channel, 200)}});
  streams_.append(connection, event::Frame::make(encode_channel_refused({ChannelName(channel), kChannelRevoked})));
}

const event::FrameRef& ShardChannels::marked(const event::FrameRef& frame) {
  if (!has_channel(*frame) || event::has_channel_mark(frame->bytes())) return frame;
  if (!unmarked_ || unmarked_->bytes().data() != frame->bytes().data() || unmarked_->channel() != frame->channel()) {
    unmarked_ = frame;
    marked_ = with_channel_mark(*frame);
  }
  return marked_;
}

bool ShardChannels::has_through_other(Connection& connection, std::uint64_t event, const event::Frame& frame) {
  if (!connection.sent_once) return false;
  const auto known = sent_once_.find(connection.id.value());
  if (known == sent_once_.end() || !known->second.contains(event)) return false;
  const MessageId message = frame.message();
  if (!message.valid()) return true;
  MessageRecipients& recipients = connection.message_recipients();
  const std::string name = recipient_name(connection, frame);
  if (recipients.contains(message)) {
    recipients.add(message, frame.recipient(), name);
  } else {
    // Its client has confirmed it already.
    delegate_.acknowledged(frame.recipient(), name, message, connection.id);
  }
  return true;
}

void ShardChannels::sent_once(Connection& connection, std::uint64_t event, const event::Frame& frame) {
  connection.sent_once = true;
  sent_once_[connection.id.value()].add(event, loop_.now());
  if (!frame.message().valid()) return;
  connection.message_recipients().add(frame.message(), frame.recipient(), recipient_name(connection, frame));
}

// Without a note a message is for the first channel.
void ShardChannels::note_sent(Connection& connection, const event::Frame& frame) {
  const std::string_view channel = frame.channel();
  const Connection::Rare* rare = connection.rare_or_null();
  const bool known = rare != nullptr && rare->message_recipients && rare->message_recipients->contains(frame.message());
  if (channel.empty() || (!known && channel == recipient_name(connection, TargetKind::kChannel))) return;
  connection.message_recipients().add(frame.message(), TargetKind::kChannel, channel);
}

void ShardChannels::note_further(Connection& connection, const event::Frame& frame) {
  MessageRecipients& recipients = connection.message_recipients();
  if (has_channel(frame) && !recipients.contains(frame.message())) {
    recipients.add(frame.message(), TargetKind::kChannel, recipient_name(connection, TargetKind::kChannel));
  }
  recipients.add(frame.message(), frame.recipient(), recipient_name(connection, frame));
}

void ShardChannels::expire() {
  unmarked_ = marked_ = event::FrameRef();
  for (auto one = sent_once_.begin(); one != sent_once_.end();) {
    Connection* connection = registry_.find_any(ConnectionId(one->first));
    const bool over = connection == nullptr || !connection->indexed || one->second.is_idle(loop_.now());
    if (over && connection != nullptr) connection->sent_once = false;
    one = over ? sent_once_.erase(one) : std::next(one);
  }
}

}  // namespace sse::hub
