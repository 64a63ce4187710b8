#include "web/web.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

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
  for (const Asset& a : page_assets()) {
    if (a.path == path) return a.bytes;
  }
  return {};
}

TEST(Web, EmbedsEveryFileByteForByte) {
  for (const auto& [file, bytes] : {std::pair<std::string, std::string_view>{"index.html", asset("/")},
                                    {"demo.css", asset("/demo.css")},
                                    {"demo.js", asset("/demo.js")},
                                    {"favicon.svg", asset("/favicon.svg")},
                                    {"sse.js", client_module()},
                                    {"sse.d.ts", client_types()}}) {
    ASSERT_FALSE(source_of(file).empty()) << file;
    EXPECT_TRUE(bytes == source_of(file)) << file;
  }
}

TEST(Web, EveryAssetHasItsTypeAndIsOffTheSameOrigin) {
  for (const Asset& a : page_assets()) {
    EXPECT_TRUE(a.path.starts_with('/')) << a.path;
    EXPECT_NE(a.content_type.find('/'), std::string_view::npos) << a.path;
    EXPECT_EQ(count(a.bytes, "https://"), 0U) << a.path << " must not load from elsewhere";
  }
}

TEST(Web, PageHoldsNoInlineScriptOrStyle) {
  const std::string_view page = asset("/");
  EXPECT_EQ(count(page, "<script"), count(page, "<script type=\"module\" src="));
  EXPECT_EQ(count(page, "<style"), 0U);
  EXPECT_EQ(count(page, " style="), 0U);
  EXPECT_EQ(count(page, " onclick="), 0U);
}

TEST(Web, ClassicScriptIsTheModuleWithoutItsExport) {
  EXPECT_EQ(count(client_module(), "\nexport default Sse;\n"), 1U);
  EXPECT_EQ(count(client_script(), "export "), 0U);
  EXPECT_EQ(count(client_script(), "globalThis.Sse = Sse;"), 1U);
  const std::string_view module = client_module();
  EXPECT_NE(client_script().find(module.substr(0, module.rfind("\nexport "))), std::string::npos);
}

TEST(Web, ClientSaysTheVersionOfThisBuild) {
  EXPECT_EQ(count(client_module(), "static version = '" + std::string(base::kVersion) + "';"), 1U);
}

}  // namespace
}  // namespace sse::web
