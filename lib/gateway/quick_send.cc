#include "gateway/quick_send.h"

#include <memory>
#include <optional>
#include <utility>

#include "api/send_reader.h"
#include "base/text.h"
#include "delivery/imported.h"
#include "event/event.h"
#include "gateway/admin_http.h"
#include "gateway/connection_json.h"
#include "gateway/local_header.h"
#include "gateway/message_routes.h"
#include "gateway/waiting_send.h"
#include "observe/log.h"

namespace sse::gateway {
namespace {

constexpr std::size_t kMostBody = std::size_t{64} * 1024;
constexpr std::string_view kPath = "/api/v1/send";

void answer_kept(net::HttpFront::Responder& responder, const delivery::SendOutcome& sent) {
  if (!sent.refusal) {
    responder.answer(200, admin::kJsonType, to_text(sent.result));
    return;
  }
  const auto& [code, sentence] = *sent.refusal;
  if (code == ErrorCode::kIo || code == ErrorCode::kInternal)
    observe::log_error("request failed", {{"path", std::string(kPath)}, {"error", sentence}});
  const int status = http_status(code);
  responder.answer(status, "application/problem+json",
                   event::dump_json(admin::problem(status, std::string(error_name(code)), sentence)));
}

}  // namespace

bool QuickSend::operator()(const net::RequestHead& head, std::string_view body,
                           net::HttpFront::Responder& responder) const {
  if (head.target != kPath || head.method != "POST" || body.size() > kMostBody) return false;
  if (to_lower(net::header_value(head, "Content-Type")).starts_with("application/x-ndjson")) return false;
  if (!net::header_value(head, kLocalHeader).empty()) return false;
  if (!token_.accepts(std::string(net::header_value(head, "Authorization")))) return false;
  api::SendRequest asked;
  delivery::Sender* sender = services_.front().sender.get();
  try {
    asked = api::read_send_request(body, "the request body");
    event::validate({asked.event, asked.data, "", std::nullopt});
  } catch (const Error&) {
    return false;
  }
  // Imports are checked further.
  if (asked.dead || asked.key.starts_with(delivery::kImportPrefix)) return false;
  if (asked.wait) {
    // Whoever does not run it, answers it: a pool that is full, or has stopped, with 503.
    workers_.submit([this, asked = std::move(asked),
                     answer = std::make_shared<net::HttpFront::Responder>(std::move(responder))]() mutable {
      send_and_answer_later(
          services_, std::move(asked), false,
          [answer](int status, std::string_view type, const std::string& text) { answer->answer(status, type, text); });
    });
    return true;
  }
  const bool ours = services_.size() == 1 && (asked.service.empty() || asked.service == sender->service());
  if (!ours || !(asked.qos ? sender->keeps_soon() : sender->sends_soon())) return false;
  const auto answer = std::make_shared<net::HttpFront::Responder>(std::move(responder));
  if (asked.qos) {
    sender->keep_soon(send_request(std::move(asked)),
                      [answer](const delivery::SendOutcome& sent) { answer_kept(*answer, sent); });
    return true;
  }
  sender->send_soon(
      {std::move(asked.target), std::move(asked.event), std::move(asked.data)},
      [answer](const delivery::SendResult& sent) { answer->answer(200, admin::kJsonType, to_text(sent)); });
  return true;
}

}  // namespace sse::gateway
