#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "auth/authenticator.h"
#include "base/clock.h"
#include "base/ids.h"
#include "event/target.h"
#include "hub/connection.h"
#include "net/httplib_app.h"

namespace sse::pages {

/// Returns `names` if they are event names within the limits of a connection. Throws Error(kInvalidArgument).
std::vector<std::string> checked_listeners(std::vector<std::string> names);
/// The stream lasts that long at most, 0: without a limit; but not longer than its credentials.
void set_keepalive(hub::NewConnection& connection, std::chrono::milliseconds keepalive);

/// Returns `name` if it is UTF-8 of at most `max_bytes`. Throws Error(kInvalidArgument) that calls it `what`.
std::string checked_name(std::string name, const char* what, std::size_t max_bytes = event::kMaxNameBytes);

/// Most bytes of the name of a channel in a request that names several.
inline constexpr std::size_t kMaxChannelBytes = 200;
/// Returns the names, each once, if they are at most hub::kMaxChannels names of channels, each of at most
/// kMaxChannelBytes of printable UTF-8. Throws Error(kInvalidArgument).
std::vector<ChannelName> checked_channels(const std::vector<std::string>& names);

/// Limits the values that are stored while a stream is open, some of them also for a while after that. Throws Error.
void check_stored_sizes(const hub::NewConnection& new_connection);

/// What read_connection() needs besides the request.
struct ConnectContext {
  std::string address;                                 ///< of the client
  std::optional<std::chrono::milliseconds> keepalive;  ///< set: overrides the client's keepaliveTime
  WallTime now;
};

/// Reads the parameters of a request for a stream from its query, its JSON body and its headers. The stream ends with
/// the credentials of `user` if it would outlast them. Throws Error: kInvalidArgument, kTooLarge.
hub::NewConnection read_connection(const httplib::Request& req, auth::User user, const ConnectContext& context);

}  // namespace sse::pages
