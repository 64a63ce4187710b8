#pragma once

#include <span>
#include <string>
#include <string_view>

/// The files for browsers: the demo page and the client module. They are ordinary files next to this header, embedded
/// byte for byte at build time, so that the server is one file, and the files can be edited, linted and served by any
/// other server. All functions are thread safe.
namespace sse::web {

/// Content type of client_module() and client_script() (PROTOCOL.md, "Serving the client").
inline constexpr std::string_view kJavascript = "application/javascript;charset=utf-8";

/// A file of the demo page and its path.
struct Asset {
  std::string_view path;  ///< absolute: `/`, `/demo.css`, …
  std::string_view content_type;
  std::string_view bytes;
};

/// The demo page. It takes the service's base path from `?service=/path` (default `/my-sse`) and works under the
/// strictest Content-Security-Policy: `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';
/// connect-src 'self'`.
std::span<const Asset> page_assets();

/// sse.js, an ES module whose default export is the class `Sse`.
std::string_view client_module();

/// The same code as a classic script that sets the global `Sse` and nothing else.
const std::string& client_script();

/// sse.d.ts, the client's types.
std::string_view client_types();

}  // namespace sse::web
