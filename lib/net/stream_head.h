#pragma once

#include <string>
#include <string_view>

namespace sse::net {

/// The response head of a stream, still to be written.
struct StreamHead {
  std::string bytes;
  bool chunked = false;  ///< it announces a chunked body
};

/// Says in a response head how the body of a stream is framed. To HTTP/1.1 it is chunked, and the connection closes
/// behind it (RFC 9112 §7.1, §9.6): of a body that only the end of the connection delimits, some clients and proxies
/// pass nothing on until they have a buffer full. HTTP/1.0 knows nothing else. REQUIRES: `head` is complete and has no
/// framing.
StreamHead stream_head(std::string head, bool http_1_0);

/// Cuts the header line of this name, as it is written, out of a response head or of a response; none may be there.
void erase_header(std::string& head, std::string_view name);

}  // namespace sse::net
