#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "event/frame.h"
#include "event/target.h"
#include "sse-server/connection.h"

namespace sse::hub {

struct Connection;
struct NewConnection;

/// The target kinds and names by which sends reach a connection.
using Names = std::vector<std::pair<event::TargetKind, std::string>>;

Names names_of(const NewConnection& connection);
Names names_of(const Connection& connection);
/// The name by which a message of that kind was addressed to the connection; of channels the first one, also when it
/// has left that.
std::string recipient_name(const Connection& connection, event::TargetKind kind);
/// The name by which the event of a frame was addressed to the connection.
std::string recipient_name(const Connection& connection, const event::Frame& frame);
/// The names by which a message that went into the stream, in a frame of that kind, was addressed to it: several if it
/// was sent to several of its channels, or to its user and its token. The connection forgets them.
Names take_recipients(Connection& connection, event::TargetKind kind, MessageId message);
/// Whether the connection is in the channel.
bool in_channel(const Connection& connection, std::string_view channel);
/// The channels that it is in, the first one first.
std::vector<ChannelName> channels_of(const Connection& connection);

/// Whether `caller` owns the connection, as owns() of two identities.
bool owns(const sse::Identity& caller, const Connection& connection);

}  // namespace sse::hub
