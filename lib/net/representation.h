#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/fd.h"
#include "net/httplib_app.h"
#include "net/request_head.h"

namespace sse::net {

/// What is at a path right now (RFC 9110 §8): bytes in memory, or a file.
struct Representation {
  std::string content_type;
  std::string etag;  ///< a strong one, with its quotes; empty: none
  std::optional<WallTime> modified;
  std::string headers;  ///< further lines with their CRLF, in a 304 as in a 200: Cache-Control, Vary, …
  std::uint64_t size = 0;
  std::string_view bytes;                ///< of one in memory; must outlive the call
  std::shared_ptr<const UniqueFd> file;  ///< not null: of one in a file
};

/// Which answer a GET or HEAD gets, by its If-* and Range lines.
struct Selection {
  enum class Kind : unsigned char { kWhole, kPart, kNotModified, kPreconditionFailed, kUnsatisfiable };
  Kind kind = Kind::kWhole;
  std::uint64_t first = 0;   ///< of kPart
  std::uint64_t length = 0;  ///< of kPart
};

/// RFC 9110 §13.2.2 and §14.2. What is malformed is taken as absent; of several ranges the whole is sent, which §14.2
/// allows.
Selection select(const RequestHead& head, const Representation& what, WallTime now);

/// The complete answer to a GET or HEAD. `keep_alive`: what it says about the connection.
Reply represent(const RequestHead& head, const Representation& what, bool keep_alive, WallTime now);

/// An answer with nothing but a short text. `headers`: further lines with their CRLF.
Reply short_reply(const RequestHead& head, std::string_view status, const std::string& headers,
                  std::string_view content_type, std::string_view text, bool keep_alive);

/// True when an Accept-Encoding line takes `coding` (RFC 9110 §12.5.3). A line that is absent takes none.
bool accepts_encoding(std::string_view accept_encoding, std::string_view coding);

}  // namespace sse::net
