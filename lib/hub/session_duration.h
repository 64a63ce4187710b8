#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "hub/connection.h"

/// How long a page has been in use in this browser session. The client counts and says so when it connects; an
/// application may set it with an sse-set-duration event. Whichever way such an event reaches a stream, the hub notes
/// what it says, so that both sides agree.
namespace sse::hub {

class Hub;

/// More than anybody has been online: a hundred years.
inline constexpr std::int64_t kMostDurationSeconds = 100LL * 366 * 24 * 3600;

/// Seconds that the client itself counts: its `sessionDuration` parameter (0 when that is none) and the time since it
/// connected.
std::int64_t own_duration(const ConnectionInfo& info, WallTime now);
/// What was set and the time since; otherwise own_duration().
std::int64_t session_duration(const ConnectionInfo& info, WallTime now);

/// `{"duration":"120"}`, data of an sse-set-duration event.
std::string duration_data(std::int64_t seconds);
/// The seconds in the bytes of such an event, capped; nullopt for data of another form.
std::optional<std::int64_t> duration_in(std::string_view frame_bytes);

/// Sends it to these connections alone; returns those that took it. Both wait for the loops.
std::vector<ConnectionId> set_duration(Hub& hub, const std::vector<ConnectionId>& ids, std::int64_t seconds);
/// Tells those of `ids` that were told a duration what they count by themselves; returns them.
std::vector<ConnectionId> clear_duration(Hub& hub, const std::vector<ConnectionId>& ids);

}  // namespace sse::hub
