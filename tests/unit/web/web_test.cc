#include "web/web.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>

#include "base/version.h"
#include "support/paths.h"

namespace sse::web {
namespace {

std::string source_of(const std::string& file) {
  std::ifstream in(sse::testing::source_folder() + "/lib/web/" + file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::size_t count(std::string_view text, std::string_view needle) {
  std::size_t n = 0;
  for (auto at = text.find(needle); at != text.npos; at = text.find(needle, at + 1)) ++n;
  return n;
}

std::string_view asset(std::string_view path) {
  for (const std::span<const Asset> assets : {page_assets(), console_assets()}) {
    for (const Asset& a : assets) {
      if (a.path == path) return a.bytes;
    }
  }
  return {};
}

std::string_view client_file(std::string_view name) {
  for (const ClientFile& file : client_files()) {
    if (file.name == name) return file.bytes;
  }
  return {};
}

TEST(Web, EmbedsEveryFileByteForByte) {
  for (const auto& [file, bytes] : {std::pair<std::string, std::string_view>{"index.html", asset("/")},
                                    {"demo.css", asset("/demo.css")},
                                    {"demo.js", asset("/demo.js")},
                                    {"demo-channels.js", asset("/demo-channels.js")},
                                    {"demo-chart.js", asset("/demo-chart.js")},
                                    {"demo-log.js", asset("/demo-log.js")},
                                    {"demo-text.js", asset("/demo-text.js")},
                                    {"demo-wire.js", asset("/demo-wire.js")},
                                    {"favicon.svg", asset("/favicon.svg")},
                                    {"sse.js", client_file("sse.js")},
                                    {"sse-channels.js", client_file("sse-channels.js")},
                                    {"sse-fetch.js", client_file("sse-fetch.js")},
                                    {"sse-presence.js", client_file("sse-presence.js")},
                                    {"sse-share.js", client_file("sse-share.js")},
                                    {"sse.d.ts", client_file("sse.d.ts")}}) {
    ASSERT_FALSE(source_of(file).empty()) << file;
    EXPECT_TRUE(bytes == source_of(file)) << file;
  }
}

TEST(Web, EmbedsTheConsoleByteForByte) {
  EXPECT_TRUE(asset("/console/") == source_of("console/index.html"));
  EXPECT_TRUE(asset("/console/favicon.svg") == source_of("favicon.svg"));
  std::size_t scripts = 0;
  for (const Asset& a : console_assets()) {
    if (!a.path.ends_with(".js") && !a.path.ends_with(".css")) continue;
    ++scripts;
    EXPECT_TRUE(a.bytes == source_of(std::string(a.path.substr(1)))) << a.path;
  }
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(sse::testing::source_folder() + "/lib/web/console"))
    files += entry.path().extension() != ".html";
  EXPECT_EQ(scripts, files) << "a file of the console is not embedded";
}

TEST(Web, TheConsoleTurnsNothingIntoMarkup) {
  for (const Asset& a : console_assets()) {
    for (const char* way :
         {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Storage", "document.cookie"})
      EXPECT_EQ(count(a.bytes, way), 0U) << a.path << " uses " << way;
  }
}

TEST(Web, EveryAssetHasItsTypeAndIsOffTheSameOrigin) {
  for (const std::span<const Asset> assets : {page_assets(), console_assets()}) {
    for (const Asset& a : assets) {
      EXPECT_TRUE(a.path.starts_with('/')) << a.path;
      EXPECT_NE(a.content_type.find('/'), std::string_view::npos) << a.path;
      EXPECT_EQ(count(a.bytes, "https://"), 0U) << a.path << " must not load from elsewhere";
    }
  }
}

TEST(Web, PagesHoldNoInlineScriptOrStyle) {
  for (const char* path : {"/", "/console/"}) {
    const std::string_view page = asset(path);
    EXPECT_EQ(count(page, "<script"), 1U);
    EXPECT_EQ(count(page, "<script type=\"module\" src="), 1U);
    EXPECT_EQ(count(page, "<style"), 0U);
    EXPECT_EQ(count(page, " style="), 0U);
    EXPECT_EQ(count(page, " onclick="), 0U);
  }
}

TEST(Web, ClassicScriptIsTheModuleWithoutItsExport) {
  const std::string_view module = client_file("sse.js");
  EXPECT_EQ(count(module, "\nexport default Sse;\n"), 1U);
  for (const std::string& script : {client_script(), client_script_of_service()}) {
    EXPECT_EQ(count(script, "export "), 0U);
    EXPECT_EQ(count(script, "globalThis.Sse = Sse;"), 1U);
    EXPECT_EQ(count(script, "import.meta"), 0U) << "is a syntax error in a classic script";
  }
  EXPECT_NE(client_script().find(module.substr(0, module.rfind("\nexport "))), std::string::npos);
}

TEST(Web, ClientSaysTheVersionOfThisBuild) {
  EXPECT_EQ(count(client_file("sse.js"), "static version = '" + std::string(base::kVersion) + "';"), 1U);
  EXPECT_TRUE(client_release().starts_with(base::kVersion + std::string("-"))) << client_release();
}

TEST(Web, TheClientImportsItsPartsFromBesideItself) {
  std::size_t parts = 0;
  for (const ClientFile& file : client_files()) {
    if (!file.name.ends_with(".js") || file.name == "sse.js") continue;
    ++parts;
    EXPECT_EQ(count(client_file("sse.js"), "import('./" + std::string(file.name) + "')"), 1U) << file.name;
    EXPECT_EQ(count(file.bytes, "import"), 0U) << file.name << " is loaded alone";
    const std::string below = " + '/" + client_release() + "/" + std::string(file.name) + "')";
    EXPECT_EQ(count(client_module_of_service(), "import.meta.url.replace(/[?#].*/, '')" + below), 1U) << file.name;
    EXPECT_EQ(count(client_script_of_service(), "scriptURL.replace(/[?#].*/, '')" + below), 1U) << file.name;
  }
  EXPECT_EQ(count(client_file("sse.js"), "import("), parts);
}

}  // namespace
}  // namespace sse::web
