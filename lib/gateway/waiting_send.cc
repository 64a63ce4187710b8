#include "gateway/waiting_send.h"

#include <utility>

#include "base/error.h"
#include "delivery/imported.h"
#include "event/json.h"
#include "gateway/admin_http.h"
#include "gateway/connection_json.h"
#include "gateway/message_routes.h"
#include "observe/barrier.h"
#include "observe/log.h"

namespace sse::gateway {

bool answers_later(const api::SendRequest& asked) {
  // Imports are checked further.
  return asked.wait.has_value() && !asked.key.starts_with(delivery::kImportPrefix);
}

void answer_problem(const AnswerText& answer, ErrorCode code, const std::string& sentence) {
  if (code == ErrorCode::kIo || code == ErrorCode::kInternal)
    observe::log_error("request failed", {{"path", "/api/v1/send"}, {"error", sentence}});
  const int status = http_status(code);
  answer(status, "application/problem+json",
         event::dump_json(admin::problem(status, std::string(error_name(code)), sentence)));
}

void send_and_answer_later(const std::vector<Service>& services, api::SendRequest&& asked, bool local,
                           const AnswerText& answer) {
  try {
    delivery::Sender& sender = *admin::find_service(services, asked.service.str()).sender;
    const std::chrono::milliseconds wait = *asked.wait;
    delivery::SendRequest request = send_request(std::move(asked));
    request.local = local;
    sender.send_then_wait(request, wait,
                          [answer](const delivery::SendResult& sent) { answer(200, admin::kJsonType, to_text(sent)); });
  } catch (const Error& e) {
    answer_problem(answer, e.code(), e.what());
  } catch (...) {
    observe::note_exception("a request", "/api/v1/send");
    answer_problem(answer, ErrorCode::kInternal, "the request could not be handled; the server's log says why");
  }
}

}  // namespace sse::gateway
