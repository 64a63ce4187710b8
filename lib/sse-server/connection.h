#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sse-server/export.h"
#include "sse-server/ids.h"
#include "sse-server/units.h"

namespace sse {

/// The user, tenant and token of a connection, as the authenticator returned them. Empty fields: unknown.
struct Identity {
  UserId user;          ///< who it is, within the tenant
  TenantId tenant{};    ///< the organisation of the user
  AccessToken token{};  ///< the session; sends can be addressed to it
};

/// Whether a stream may join a channel.
enum class ChannelRight : unsigned char {
  kRefused,      ///< nothing allows it
  kAllowed,      ///< a rule or the user's credentials allow it
  kApplication,  ///< a rule leaves it to the application: refused unless that allows it
};

/// Request data of a client besides its identity: query, address and headers.
struct ClientDetails {
  std::string query;       ///< form-encoded parameters, as sent
  std::string address;     ///< the client's, or the one a trusted proxy forwards
  std::string user_agent;  ///< header `User-Agent`
  std::string host;        ///< header `Host`
  std::string origin;      ///< header `Origin`
  std::string profile;     ///< JSON text from the authenticator about the user; empty: unknown

  /// The first value of a parameter in `query`, decoded; empty when absent.
  SSE_API std::string parameter(std::string_view name) const;
};

/// The session duration last sent to the page (`sse-set-duration`), and when.
struct SetDuration {
  std::int64_t seconds = 0;  ///< how long
  WallTime at;               ///< when it was sent
};

/// A snapshot of a connection: an open stream with its user.
struct ConnectionInfo {
  ConnectionId id;                                         ///< unique, also across restarts and nodes
  Identity identity;                                       ///< from the authenticator
  ChannelName channel;                                     ///< the first of `channels`; empty: none
  std::vector<ChannelName> channels;                       ///< the channels that it is in
  std::vector<std::string> listeners;                      ///< the event names for which the page has a handler
  ClientDetails attributes;                                ///< from the request that opened it
  WallTime created;                                        ///< when it opened
  WallTime as_of;                                          ///< when the snapshot was taken
  std::chrono::milliseconds keepalive{0};                  ///< maximum lifetime; 0: no limit
  std::optional<WallTime> last_request;                    ///< the last message or upload of the page
  WallTime last_write;                                     ///< when the socket last accepted bytes
  std::optional<SetDuration> duration;                     ///< the session duration that the page was told
  std::uint64_t messages = 0;                              ///< events appended to the stream
  std::uint64_t request_messages = 0;                      ///< `message/….do` calls
  std::uint64_t request_uploads = 0;                       ///< `upload/….do` calls
  std::uint64_t bytes_sent = 0;                            ///< bytes that the socket accepted
  std::uint64_t backlog_bytes = 0;                         ///< bytes queued that the socket has not accepted
  std::optional<std::chrono::milliseconds> oldest_unsent;  ///< age of the oldest event in the backlog
  std::uint64_t dropped = 0;                               ///< events dropped because the client was too slow
  bool confirms = false;                                   ///< the client acknowledges messages itself
  std::uint64_t in_flight = 0;  ///< messages sent and not yet acknowledged; only with `confirms`
};

/// Selects connections for a listing or a count. Empty fields match everything.
struct ConnectionFilter {
  UserId user{};            ///< the user, of any tenant unless `tenant` is set
  TenantId tenant{};        ///< the tenant
  AccessToken token{};      ///< the session
  ChannelName channel{};    ///< a channel that it is in
  std::string listening{};  ///< an event name
  std::string client{};     ///< parameter `clientId`, which identifies a browser tab
  std::string name{};       ///< part of the user's name, or id where no name is known; ASCII case does not matter
  /// Names and values that its parameters have, the attributes that the program gave it among them.
  std::vector<std::pair<std::string, std::string>> attributes{};
};

/// What a program changes about an open stream. A stream that opens later, also of the same page, knows nothing of it.
struct ConnectionChange {
  /// Names and values to set, which replace all values of a parameter of that name. Not `clientId` and
  /// `clientInstanceId`, which are the page's.
  std::vector<std::pair<std::string, std::string>> attributes{};
  std::vector<std::string> remove{};  ///< names of parameters to remove
  std::vector<ChannelName> join{};    ///< channels that the stream joins, whatever the rules say; it is in at most 100
  std::vector<ChannelName> leave{};   ///< channels that it leaves
};

}  // namespace sse
