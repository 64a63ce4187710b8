#pragma once

#include <string>
#include <string_view>

/// Compression of responses to browsers, done once for bytes that never change.
namespace sse::web {

/// gzip (RFC 1952) at its highest level, without name and time: the same bytes give the same result.
std::string gzip(std::string_view bytes);

/// Brotli (RFC 7932) at its highest level.
std::string brotli(std::string_view bytes);

}  // namespace sse::web
