#include "admin/async_send.h"

#include <memory>
#include <optional>
#include <utility>

#include "admin/admin_http.h"
#include "admin/local_header.h"
#include "admin/send_routes.h"
#include "admin/waiting_send.h"
#include "api/send_reader.h"
#include "application/connection_json.h"
#include "base/text.h"
#include "net/trace_header.h"
#include "store/imported.h"

namespace sse::admin {
namespace {

constexpr std::size_t kMaxBody = std::size_t{64} * 1024;
constexpr std::string_view kPath = "/api/v1/send";

void answer_sent(net::HttpFront::Responder& responder, const delivery::SendOutcome& sent) {
  if (!sent.refusal) {
    responder.answer(200, kJsonType, application::to_text(sent.result));
    return;
  }
  answer_problem([&responder](int status, std::string_view type,
                              const std::string& text) { responder.answer(status, type, text); },
                 sent.refusal->code, sent.refusal->sentence);
}

}  // namespace

bool AsyncSend::operator()(const net::RequestHead& head, std::string_view body,
                           net::HttpFront::Responder& responder) const {
  if (head.target != kPath || head.method != "POST" || body.size() > kMaxBody) return false;
  if (to_lower(net::header_value(head, "Content-Type")).starts_with("application/x-ndjson")) return false;
  if (!net::header_value(head, kLocalHeader).empty()) return false;
  if (!token_.accepts(std::string(net::header_value(head, "Authorization")))) return false;
  api::SendRequest api_request;
  delivery::Sender* sender = services_.front().sender.get();
  try {
    api_request = api::read_send_request(body, "the request body");
  } catch (const Error&) {
    return false;
  }
  // Imports need further checks.
  if (api_request.dead || api_request.key.starts_with(store::kImportPrefix)) return false;
  const std::optional<TraceContext> trace = net::trace_context(head);
  if (api_request.wait) {
    // A pool that is full or stopped destroys the task, and the destructor of Responder replies 503.
    workers_.submit([this, api_request = std::move(api_request), trace,
                     answer = std::make_shared<net::HttpFront::Responder>(std::move(responder))]() mutable {
      send_waiting(
          services_, std::move(api_request), false, trace,
          [answer](int status, std::string_view type, const std::string& text) { answer->answer(status, type, text); });
    });
    return true;
  }
  const bool ours = services_.size() == 1 && (api_request.service.empty() || api_request.service == sender->service());
  if (!ours || !sender->sends_async(api_request.qos)) return false;
  delivery::SendRequest request = send_request(std::move(api_request));
  request.trace = trace;
  sender->send_async(std::move(request),
                     [answer = std::make_shared<net::HttpFront::Responder>(std::move(responder))](
                         const std::vector<delivery::SendOutcome>& sent) { answer_sent(*answer, sent.front()); });
  return true;
}

}  // namespace sse::admin
