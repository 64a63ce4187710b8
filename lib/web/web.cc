#include "web/web.h"

#include <array>
#include <cassert>
#include <cstdint>
#include <cstdio>

#include "base/checksum.h"
#include "base/version.h"

namespace sse::web {

extern const std::string_view console_index_html;
extern const std::string_view console_console_css;
extern const std::string_view console_activity_js;
extern const std::string_view console_api_js;
extern const std::string_view console_channels_js;
extern const std::string_view console_dom_js;
extern const std::string_view console_list_js;
extern const std::string_view console_main_js;
extern const std::string_view console_messages_js;
extern const std::string_view console_nodes_js;
extern const std::string_view console_overview_js;
extern const std::string_view console_send_js;
extern const std::string_view console_streams_js;
extern const std::string_view console_users_js;
extern const std::string_view index_html;
extern const std::string_view demo_css;
extern const std::string_view demo_js;
extern const std::string_view demo_channels_js;
extern const std::string_view demo_chart_js;
extern const std::string_view demo_log_js;
extern const std::string_view demo_text_js;
extern const std::string_view demo_wire_js;
extern const std::string_view favicon_svg;
extern const std::string_view sse_channels_js;
extern const std::string_view sse_fetch_js;
extern const std::string_view sse_js;
extern const std::string_view sse_presence_js;
extern const std::string_view sse_share_js;
extern const std::string_view sse_d_ts;

namespace {

constexpr std::string_view kImport = "import('./";

// The function wrapper keeps the module's names out of the global scope, and allows a page to load the script twice.
std::string to_classic_script(std::string_view module, std::string_view first_line) {
  constexpr std::string_view kExport = "export default Sse;\n";
  assert(module.ends_with(kExport));
  std::string script = "(() => {\n'use strict';\n";
  script += first_line;
  script += module.substr(0, module.size() - kExport.size());
  script += "globalThis.Sse = Sse;\n})();\n";
  return script;
}

// Imports the parts from below `url`, a JavaScript expression, instead of from beside the script.
std::string with_parts_below(std::string_view url) {
  const std::string replacement = "import(" + std::string(url) + ".replace(/[?#].*/, '') + '/" + client_release() + "/";
  std::string module(sse_js);
  for (std::size_t at = module.find(kImport); at != std::string::npos; at = module.find(kImport, at))
    module.replace(at, kImport.size(), replacement);
  return module;
}

}  // namespace

std::span<const Asset> page_assets() {
  static const Asset kAssets[] = {
      {"/", "text/html;charset=utf-8", index_html},
      {"/demo.css", "text/css;charset=utf-8", demo_css},
      {"/demo.js", kJavascript, demo_js},
      {"/demo-channels.js", kJavascript, demo_channels_js},
      {"/demo-chart.js", kJavascript, demo_chart_js},
      {"/demo-log.js", kJavascript, demo_log_js},
      {"/demo-text.js", kJavascript, demo_text_js},
      {"/demo-wire.js", kJavascript, demo_wire_js},
      {"/favicon.svg", "image/svg+xml", favicon_svg},
  };
  return kAssets;
}

std::span<const Asset> console_assets() {
  static const Asset kAssets[] = {
      {"/console/", "text/html;charset=utf-8", console_index_html},
      {"/console/console.css", "text/css;charset=utf-8", console_console_css},
      {"/console/activity.js", kJavascript, console_activity_js},
      {"/console/api.js", kJavascript, console_api_js},
      {"/console/channels.js", kJavascript, console_channels_js},
      {"/console/dom.js", kJavascript, console_dom_js},
      {"/console/list.js", kJavascript, console_list_js},
      {"/console/main.js", kJavascript, console_main_js},
      {"/console/messages.js", kJavascript, console_messages_js},
      {"/console/nodes.js", kJavascript, console_nodes_js},
      {"/console/overview.js", kJavascript, console_overview_js},
      {"/console/send.js", kJavascript, console_send_js},
      {"/console/streams.js", kJavascript, console_streams_js},
      {"/console/users.js", kJavascript, console_users_js},
      {"/console/favicon.svg", "image/svg+xml", favicon_svg},
  };
  return kAssets;
}

std::span<const ClientFile> client_files() {
  static const ClientFile kFiles[] = {
      {"sse.js", kJavascript, sse_js},
      {"sse-channels.js", kJavascript, sse_channels_js},
      {"sse-fetch.js", kJavascript, sse_fetch_js},
      {"sse-presence.js", kJavascript, sse_presence_js},
      {"sse-share.js", kJavascript, sse_share_js},
      {"sse.d.ts", "text/plain;charset=utf-8", sse_d_ts},
  };
  return kFiles;
}

const std::string& client_script() {
  static const std::string script = to_classic_script(sse_js, "");
  return script;
}

const std::string& client_module_of_service() {
  static const std::string script = with_parts_below("import.meta.url");
  return script;
}

const std::string& client_script_of_service() {
  // Only while the script runs for the first time does the browser say which one it is.
  static const std::string script =
      to_classic_script(with_parts_below("scriptURL"), "const scriptURL = document.currentScript?.src ?? '';\n");
  return script;
}

const std::string& client_release() {
  static const std::string release = [] {
    std::uint32_t sum = 0;
    for (const ClientFile& file : client_files()) sum = crc32(file.bytes, sum);
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), "-%08x", sum);
    return base::kVersion + std::string(text.data());
  }();
  return release;
}

}  // namespace sse::web
