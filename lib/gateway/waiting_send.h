#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/types.h"
#include "delivery/sender.h"
#include "gateway/page_routes.h"

namespace sse::gateway {

/// How a request is answered: status, content type and body.
using AnswerText = std::function<void(int status, std::string_view type, const std::string& body)>;

/// Sends for somebody who waits until the message is confirmed, and answers when it is or when the time is over, with
/// no thread waiting for that. Blocks only as every send does: for the store and the streams. What is refused is
/// answered at once. REQUIRES: `asked.wait`.
void send_and_answer_later(const std::vector<Service>& services, api::SendRequest&& asked, bool local,
                           const AnswerText& answer);

/// Whether this is for send_and_answer_later(): anything else is for the routes.
bool answers_later(const api::SendRequest& asked);

/// A problem document; logs what is no fault of who asked.
void answer_problem(const AnswerText& answer, ErrorCode code, const std::string& sentence);

}  // namespace sse::gateway
