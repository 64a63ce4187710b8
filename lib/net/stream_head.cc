#include "net/stream_head.h"

#include <utility>

namespace sse::net {

StreamHead stream_head(std::string head, bool http_1_0) {
  if (http_1_0) return {std::move(head), false};
  erase_header(head, "Connection");
  head.insert(head.size() - 2, "Connection: close\r\nTransfer-Encoding: chunked\r\n");
  return {std::move(head), true};
}

void erase_header(std::string& head, std::string_view name) {
  const std::size_t start = head.find("\r\n" + std::string(name) + ":");
  const std::size_t limit = head.find("\r\n\r\n");
  if (start == std::string::npos || start >= limit) return;
  head.erase(start, head.find("\r\n", start + 2) - start);
}

}  // namespace sse::net
