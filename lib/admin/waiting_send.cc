#include "admin/waiting_send.h"

#include <utility>

#include "admin/admin_http.h"
#include "admin/send_routes.h"
#include "application/connection_json.h"
#include "base/error.h"
#include "event/json.h"
#include "observe/barrier.h"
#include "observe/log.h"
#include "store/imported.h"

namespace sse::admin {

bool is_waiting_send(const api::SendRequest& api_request) {
  // Imports need further checks.
  return api_request.wait.has_value() && !api_request.key.starts_with(store::kImportPrefix);
}

void answer_problem(const AnswerText& answer, ErrorCode code, const std::string& sentence) {
  if (code == ErrorCode::kIo || code == ErrorCode::kInternal)
    observe::log_error("request failed", {{"path", "/api/v1/send"}, {"error", sentence}});
  const int status = http_status(code);
  answer(status, "application/problem+json",
         event::dump_json(problem(status, std::string(error_name(code)), sentence)));
}

void send_waiting(const std::vector<application::Service>& services, api::SendRequest&& api_request, bool local,
                  const std::optional<TraceContext>& trace, const AnswerText& answer) {
  try {
    delivery::Sender& sender = *find_service(services, api_request.service.str()).sender;
    const std::chrono::milliseconds wait = *api_request.wait;
    delivery::SendRequest request = send_request(std::move(api_request));
    request.local = local;
    request.trace = trace;
    sender.send_then_wait(request, wait, [answer](const delivery::SendResult& sent) {
      answer(200, kJsonType, application::to_text(sent));
    });
  } catch (const Error& e) {
    answer_problem(answer, e.code(), e.what());
  } catch (...) {
    observe::note_exception("a request", "/api/v1/send");
    answer_problem(answer, ErrorCode::kInternal, "the request could not be handled; the server's log says why");
  }
}

}  // namespace sse::admin
