#include "gateway/quick_send.h"

#include <memory>
#include <optional>
#include <utility>

#include "api/send_reader.h"
#include "base/text.h"
#include "event/event.h"
#include "gateway/connection_json.h"

namespace sse::gateway {
namespace {

constexpr std::size_t kMostBody = std::size_t{64} * 1024;

}  // namespace

bool QuickSend::operator()(const net::RequestHead& head, std::string_view body,
                           net::HttpFront::Responder& responder) const {
  if (head.target != "/api/v1/send" || head.method != "POST" || body.size() > kMostBody) return false;
  // A qos message waits for a commit. The word in the data of one without only costs it the short cut.
  if (body.find("\"qos\"") != std::string_view::npos) return false;
  if (to_lower(net::header_value(head, "Content-Type")).starts_with("application/x-ndjson")) return false;
  if (!token_.accepts(std::string(net::header_value(head, "Authorization")))) return false;
  api::SendRequest asked;
  delivery::Sender* sender = services_.front().sender.get();
  try {
    asked = api::read_send_request(body, "the request body");
    event::validate({asked.event, asked.data, "", std::nullopt});
  } catch (const Error&) {
    return false;
  }
  const bool ours = services_.size() == 1 && (asked.service.empty() || asked.service == sender->service());
  if (asked.qos || !ours || !sender->sends_soon()) return false;
  const auto answer = std::make_shared<net::HttpFront::Responder>(std::move(responder));
  sender->send_soon(
      {std::move(asked.target), std::move(asked.event), std::move(asked.data)},
      [answer](const delivery::SendResult& sent) { answer->answer(200, "application/json", to_text(sent)); });
  return true;
}

}  // namespace sse::gateway
