#include "pages/service_paths.h"

#include <gtest/gtest.h>

namespace sse::pages {
namespace {

TEST(ServicePaths, CutsThePathOfTheServiceAndTheQuery) {
  const ServicePaths paths({"/my-sse", "/other"});
  EXPECT_EQ(paths.path_in_service("/my-sse/connect"), "/connect");
  EXPECT_EQ(paths.path_in_service("/my-sse/connect?a=/connect"), "/connect");
  EXPECT_EQ(paths.path_in_service("/other/connect/ack.do?x"), "/connect/ack.do");
}

TEST(ServicePaths, KnowsNoOtherPaths) {
  const ServicePaths paths({"/my-sse"});
  for (const char* target : {"/", "/my-sse", "/my-sse/sse.js", "/connect", "/other/connect", "/?/my-sse/connect"})
    EXPECT_FALSE(paths.path_in_service(target)) << target;
}

TEST(ServicePaths, NamesThePathWithoutTheSlashAtItsEnd) {
  const ServicePaths paths({"/my-sse", "/a/b"});
  EXPECT_EQ(paths.without_slash("/my-sse/"), "../my-sse");
  EXPECT_EQ(paths.without_slash("/my-sse/?a=/"), "../my-sse?a=/");
  EXPECT_EQ(paths.without_slash("/my-sse/sse.js/"), "../sse.js");
  EXPECT_EQ(paths.without_slash("/a/b/connect/ack.do/"), "../ack.do");
  for (const char* target : {"/", "//", "/my-sse", "/my-sse//", "/my-sse/x/", "//my-sse/", "/other/", "/?/my-sse/", ""})
    EXPECT_FALSE(paths.without_slash(target)) << target;
}

}  // namespace
}  // namespace sse::pages
