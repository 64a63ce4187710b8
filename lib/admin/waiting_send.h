#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/types.h"
#include "application/service.h"
#include "delivery/sender.h"

namespace sse::admin {

/// Sends the response to a request: status, content type and body.
using AnswerText = std::function<void(int status, std::string_view type, const std::string& body)>;

/// Sends a message and calls `answer` when it is confirmed or when the wait time is over; no thread waits for that.
/// Blocks only as every send does: for the store and the streams. A request that is refused is answered immediately.
/// REQUIRES: a `wait` in the request.
void send_waiting(const std::vector<application::Service>& services, api::SendRequest&& api_request, bool local,
                  const std::optional<TraceContext>& trace, const AnswerText& answer);

/// True for requests with a `wait` that the function above handles; the routes handle all others.
bool is_waiting_send(const api::SendRequest& api_request);

/// Responds with a problem document; logs errors that the caller did not cause.
void answer_problem(const AnswerText& answer, ErrorCode code, const std::string& sentence);

}  // namespace sse::admin
