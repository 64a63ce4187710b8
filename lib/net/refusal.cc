#include "net/refusal.h"

#include "net/http_date.h"
#include "net/reason_phrase.h"

namespace sse::net {

RefusalText plain_refusal(std::string_view sentence) {
  RefusalText text;
  text.body.append(sentence).append("\n");
  return text;
}

std::string refusal_response(WallTime now, int status, const RefusalText& text) {
  std::string out = "HTTP/1.1 " + std::to_string(status) + " " + reason_phrase(status) + "\r\n";
  out += date_line(now);
  if (status == 503 || status == 429) out += "Retry-After: 5\r\n";
  out += text.headers + "Content-Type: " + text.content_type +
         "\r\nConnection: close\r\nContent-Length: " + std::to_string(text.body.size()) + "\r\n\r\n" + text.body;
  return out;
}

}  // namespace sse::net
