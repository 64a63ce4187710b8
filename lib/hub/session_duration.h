#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "hub/connection.h"

/// The session duration: how long a page has been in use in this browser session. The client counts it and sends it
/// when it connects; an application may set it with an sse-set-duration event. The hub records the value of every such
/// event that goes into a stream, so that server and client agree.
namespace sse::hub {

class Hub;

/// Upper limit, longer than any real session: a hundred years.
inline constexpr std::int64_t kMaxDurationSeconds = 100LL * 366 * 24 * 3600;

/// Seconds as the client itself counts them: its `sessionDuration` parameter (0 when invalid) plus the time since it
/// connected.
std::int64_t client_duration(const ConnectionInfo& info, WallTime now);
/// The value last set plus the time since then; client_duration() when none was set.
std::int64_t session_duration(const ConnectionInfo& info, WallTime now);

/// `{"duration":"120"}`, data of an sse-set-duration event.
std::string duration_data(std::int64_t seconds);
/// The seconds in the bytes of such an event, capped at kMaxDurationSeconds; nullopt for data of another form.
std::optional<std::int64_t> duration_in(std::string_view frame_bytes);

/// Sends the duration to these connections only; returns those that took it. Waits for the loops.
std::vector<ConnectionId> set_duration(Hub& hub, const std::vector<ConnectionId>& ids, std::int64_t seconds);
/// Sends client_duration() to those of `ids` for which a duration was set; returns them. Waits for the loops.
std::vector<ConnectionId> clear_duration(Hub& hub, const std::vector<ConnectionId>& ids);

}  // namespace sse::hub
