#include "pages/page_refusals.h"

#include <cstddef>

#include "base/version.h"
#include "net/reason_phrase.h"
#include "pages/page_envelope.h"

namespace sse::pages {

std::string PageRefusals::common_headers(const net::RequestHead& head) const {
  std::string lines = "X-Sse-Server-Id: " + server_id_ + "\r\nX-Sse-Version: " + base::kVersion + "\r\n";
  for (const auto& [name, value] : origins_.headers_for(std::string(net::header_value(head, "Origin"))))
    lines.append(name).append(": ").append(value).append("\r\n");
  return lines;
}

net::RefusalText PageRefusals::refusal(const net::RequestHead& head, int status, const std::string& sentence) const {
  net::RefusalText text;
  text.headers = common_headers(head);
  const auto rest = paths_.path_in_service(head.target);
  const bool of_page = rest.has_value() || status == 404 || status == 405;
  if (status == 401 && rest == "/connect") return text;
  text.body = of_page ? page_error(status, sentence) : sentence + "\n";
  if (of_page) text.content_type = "application/json";
  return text;
}

std::string PageRefusals::response(std::string_view request, int status, const std::string& sentence) const {
  std::size_t scanned = 0;
  const net::HeadScan scan = net::scan_head(request, scanned);
  const net::RefusalText text = refusal(scan.head, status, sentence);
  return "HTTP/1.1 " + std::to_string(status) + " " + net::reason_phrase(status) + "\r\n" + text.headers +
         (status == 503 ? "Retry-After: 5\r\n" : "") + "Content-Type: " + text.content_type +
         "\r\nContent-Length: " + std::to_string(text.body.size()) + "\r\n\r\n" + text.body;
}

}  // namespace sse::pages
