#pragma once

#include <span>
#include <string>
#include <string_view>

/// The files for browsers: the demo page and the client module. They are ordinary files next to this header, embedded
/// byte for byte at build time, so that the server is one file, and the files can be edited, linted and served by any
/// other server. All functions are thread safe.
namespace sse::web {

/// Content type of the client module and its classic form (PROTOCOL.md, "Serving the client").
inline constexpr std::string_view kJavascript = "application/javascript;charset=utf-8";

/// A file of a page and its path.
struct Asset {
  std::string_view path;  ///< absolute: `/`, `/demo.css`, …
  std::string_view content_type;
  std::string_view bytes;
};

/// The demo page. It takes the service's base path from `?service=/path` (default `/my-sse`) and works under the
/// strictest Content-Security-Policy: `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';
/// connect-src 'self'`.
std::span<const Asset> page_assets();

/// The admin console, below `/console/` of the admin listener. Its files contain no data; it works under the policy of
/// page_assets().
std::span<const Asset> console_assets();

/// A file of the client that pages load, at `P/<name>` of each service and at `P/<client_release()>/<name>`.
struct ClientFile {
  std::string_view name;  ///< `sse.js`, …
  std::string_view content_type;
  std::string_view bytes;
};

/// sse.js, which is an ES module whose default export is the class `Sse`; its parts, which it imports from beside
/// itself when they are used; and sse.d.ts, its types.
std::span<const ClientFile> client_files();

/// sse.js as a classic script that sets the global `Sse` and nothing else.
const std::string& client_script();

/// sse.js and client_script() for the path `P` itself: they import the parts from `P/<client_release()>/`, whatever `P`
/// is called where the page is (proxies may rename it).
const std::string& client_module_of_service();
const std::string& client_script_of_service();

/// Names the bytes of client_files(): the version of this build and a checksum. It never stands for other bytes.
const std::string& client_release();

}  // namespace sse::web
