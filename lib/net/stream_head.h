#pragma once

#include <string>
#include <string_view>

namespace sse::net {

/// The response head of a stream, not yet sent.
struct StreamHead {
  std::string bytes;
  bool chunked = false;  ///< the head announces a chunked body
};

/// Completes a response head with the framing of a stream's body. For HTTP/1.1 the body is chunked and the connection
/// closes after it (RFC 9112 §7.1, §9.6): some clients and proxies buffer a body that is delimited only by the end of
/// the connection. HTTP/1.0 supports nothing else. REQUIRES: `head` is complete and has no framing.
StreamHead stream_head(std::string head, bool http_1_0);

/// Removes the first header line with this name (case-sensitive), if any, from a response head or a whole response.
void erase_header(std::string& head, std::string_view name);

}  // namespace sse::net
