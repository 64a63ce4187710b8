#include "ssectl/input/headers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "support/errors.h"
#include "support/files.h"

namespace sse::ctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using testing::TempFolder;

TEST(Headers, AreNamesAndValues) {
  EXPECT_THAT(read_headers({"Authorization:  Bearer a:b ", "X-Empty:"}),
              ElementsAre(Pair("Authorization", "Bearer a:b"), Pair("X-Empty", "")));
}

TEST(Headers, MayComeFromAFile) {
  const TempFolder folder;
  std::ofstream(folder.file("headers")) << "X-One: 1\r\n\nX-Two: 2";
  EXPECT_THAT(read_headers({"@" + folder.file("headers"), "X-Three: 3"}),
              ElementsAre(Pair("X-One", "1"), Pair("X-Two", "2"), Pair("X-Three", "3")));
}

TEST(Headers, WithoutAColonAreRefusedWithoutTheirValue) {
  for (const char* line : {"nothing", ": x", "a b: x", "X-A: 1\r\nX-B: 2"})
    EXPECT_THAT(testing::error_of([&] { read_headers({line}); }).what(), HasSubstr("--header must be 'NAME: VALUE'"))
        << line;
}

}  // namespace
}  // namespace sse::ctl
