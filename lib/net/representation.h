#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/fd.h"
#include "net/reply.h"
#include "net/request_head.h"

namespace sse::net {

/// The current representation of a resource (RFC 9110 §8): bytes in memory, or a file.
struct Representation {
  std::string content_type;
  std::string etag;  ///< a strong one, with its quotes; empty: none
  std::optional<WallTime> modified;
  std::string headers;  ///< further lines with their CRLF, in a 304 as in a 200: Cache-Control, Vary, …
  std::uint64_t size = 0;
  std::string_view bytes;                ///< bytes in memory; must outlive the call
  std::shared_ptr<const UniqueFd> file;  ///< not null: the content is in this file
};

/// The kind of response to a GET or HEAD, by its conditional and Range header fields.
struct Selection {
  enum class Kind : unsigned char { kWhole, kPart, kNotModified, kPreconditionFailed, kUnsatisfiable };
  Kind kind = Kind::kWhole;
  std::uint64_t first = 0;   ///< of kPart
  std::uint64_t length = 0;  ///< of kPart
};

/// Evaluates preconditions and ranges (RFC 9110 §13.2.2, §14.2). Malformed fields are ignored. Several ranges select
/// the whole content, which §14.2 allows.
Selection select(const RequestHead& head, const Representation& representation, WallTime now);

/// The complete response to a GET or HEAD. `keep_alive`: whether the response keeps the connection open.
Reply represent(const RequestHead& head, const Representation& representation, bool keep_alive, WallTime now);

/// A response with a short text as its content. `headers`: further lines with their CRLF.
Reply short_reply(const RequestHead& head, std::string_view status, const std::string& headers,
                  std::string_view content_type, std::string_view text, bool keep_alive);

/// True when an Accept-Encoding value accepts `coding` (RFC 9110 §12.5.3). An empty value accepts none.
bool accepts_encoding(std::string_view accept_encoding, std::string_view coding);

}  // namespace sse::net
