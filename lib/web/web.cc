#include "web/web.h"

#include <cassert>

namespace sse::web {

extern const std::string_view index_html;
extern const std::string_view demo_css;
extern const std::string_view demo_js;
extern const std::string_view favicon_svg;
extern const std::string_view sse_js;
extern const std::string_view sse_d_ts;

namespace {

// The function wrapper keeps the module's names out of the global scope, and allows a page to load the script twice.
std::string to_classic_script(std::string_view module) {
  constexpr std::string_view kExport = "export default Sse;\n";
  assert(module.ends_with(kExport));
  std::string script = "(() => {\n'use strict';\n";
  script += module.substr(0, module.size() - kExport.size());
  script += "globalThis.Sse = Sse;\n})();\n";
  return script;
}

}  // namespace

std::span<const Asset> page_assets() {
  static const Asset kAssets[] = {
      {"/", "text/html;charset=utf-8", index_html},
      {"/demo.css", "text/css;charset=utf-8", demo_css},
      {"/demo.js", kJavascript, demo_js},
      {"/favicon.svg", "image/svg+xml", favicon_svg},
  };
  return kAssets;
}

std::string_view client_module() {
  return sse_js;
}

const std::string& client_script() {
  static const std::string script = to_classic_script(sse_js);
  return script;
}

std::string_view client_types() {
  return sse_d_ts;
}

}  // namespace sse::web
