#include "pages/static_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "support/files.h"

namespace sse::pages {
namespace {

using Result = StaticFiles::Result;

class StaticFilesTest : public ::testing::Test {
 protected:
  StaticFilesTest() {
    std::filesystem::create_directories(root_ + "/sub/.hidden");
    std::filesystem::create_directories(root_ + "/.well-known/sub/.well-known");
    std::filesystem::create_directories(root_ + "/bare");
    for (const std::string file : {"index.html", "app.JS", "sub/index.html", "sub/.hidden/x", ".env", "sub/.htaccess",
                                   ".well-known/security.txt", ".well-known/sub/.well-known/x", "no-ending", "a b.txt"})
      std::ofstream(root_ + "/" + file) << file;
    std::ofstream(folder_.file("outside")) << "secret";
    std::ofstream(folder_.file("www-evil")) << "secret";
  }
  Result find(const std::string& path) {
    file_ = {};
    return files_.find(path, file_);
  }

  testing::TempFolder folder_;
  const std::string root_ = folder_.file("www");
  StaticFiles files_{root_};
  StaticFiles::File file_;
};

TEST_F(StaticFilesTest, FindsFilesAndIndexes) {
  ASSERT_EQ(find("/"), Result::kFile);
  EXPECT_EQ(file_.size, 10U);
  EXPECT_EQ(file_.content_type, "text/html; charset=utf-8");
  EXPECT_EQ(find("/sub/"), Result::kFile);
  EXPECT_EQ(find("/sub"), Result::kFolder);
  ASSERT_EQ(find("/app.JS"), Result::kFile);
  EXPECT_EQ(file_.content_type, "text/javascript; charset=utf-8");
  ASSERT_EQ(find("/no-ending"), Result::kFile);
  EXPECT_EQ(file_.content_type, "application/octet-stream");
  EXPECT_EQ(find("/a b.txt"), Result::kFile);
  EXPECT_EQ(find("/bare/"), Result::kNone);
  EXPECT_EQ(find("/index.html/"), Result::kNone);
  EXPECT_EQ(find("/missing"), Result::kNone);
}

TEST_F(StaticFilesTest, ServesNoNameWithADotBeforeIt) {
  for (const char* path : {"/.env", "/sub/.htaccess", "/sub/.hidden/x", "/.well-known/sub/.well-known/x", "/..", "/.",
                           "/../outside", "/sub/../../outside", "/sub/./index.html"})
    EXPECT_EQ(find(path), Result::kNone) << path;
  EXPECT_EQ(find("/.well-known/security.txt"), Result::kFile);
}

TEST_F(StaticFilesTest, ServesNoOddPaths) {
  for (const char* path : {"", "index.html", "//index.html", "/sub//index.html", "//", "/sub//"})
    EXPECT_EQ(find(path), Result::kNone) << path;
  EXPECT_EQ(find("/" + std::string(300, 'x')), Result::kNone);
}

TEST_F(StaticFilesTest, FollowsLinksWithinItsFolderOnly) {
  ASSERT_EQ(symlink("index.html", (root_ + "/inside").c_str()), 0);
  ASSERT_EQ(symlink("../outside", (root_ + "/relative").c_str()), 0);
  ASSERT_EQ(symlink(folder_.file("outside").c_str(), (root_ + "/absolute").c_str()), 0);
  ASSERT_EQ(symlink("..", (root_ + "/up").c_str()), 0);
  ASSERT_EQ(symlink("loop", (root_ + "/loop").c_str()), 0);
  EXPECT_EQ(find("/relative"), Result::kNone);
  EXPECT_EQ(find("/absolute"), Result::kNone);
  EXPECT_EQ(find("/up/outside"), Result::kNone);
  EXPECT_EQ(find("/up/www-evil"), Result::kNone);
  EXPECT_EQ(find("/loop"), Result::kNone);
}

TEST_F(StaticFilesTest, ServesNothingButRegularFiles) {
  ASSERT_EQ(mkfifo((root_ + "/fifo").c_str(), 0600), 0);
  EXPECT_EQ(find("/fifo"), Result::kNone);
}

TEST_F(StaticFilesTest, GivesAnotherTagToAnotherFile) {
  ASSERT_EQ(find("/index.html"), Result::kFile);
  const std::string before = file_.etag;
  EXPECT_TRUE(before.starts_with('"') && before.ends_with('"')) << before;
  ASSERT_EQ(find("/index.html"), Result::kFile);
  EXPECT_EQ(file_.etag, before);
  std::ofstream(root_ + "/fresh") << "index.htmm";
  std::filesystem::rename(root_ + "/fresh", root_ + "/index.html");
  ASSERT_EQ(find("/index.html"), Result::kFile);
  EXPECT_NE(file_.etag, before);
}

TEST_F(StaticFilesTest, SharesOneDescriptorAmongRepliesAndBoundsThem) {
  ASSERT_EQ(find("/index.html"), Result::kFile);
  const auto first = file_.fd;
  ASSERT_EQ(find("/"), Result::kFile);
  EXPECT_EQ(file_.fd, first);
  std::vector<std::shared_ptr<const UniqueFd>> held{first};
  for (std::size_t i = 1; i < StaticFiles::kMaxOpen; ++i) {
    const std::string name = "/n" + std::to_string(i);
    std::ofstream(root_ + name) << i;
    ASSERT_EQ(find(name), Result::kFile);
    held.push_back(file_.fd);
  }
  EXPECT_EQ(find("/app.JS"), Result::kBusy);
  EXPECT_EQ(find("/n1"), Result::kFile);  // one that is open costs nothing
  held.pop_back();
  file_ = {};
  EXPECT_EQ(find("/app.JS"), Result::kFile);
}

TEST_F(StaticFilesTest, SeesAFolderThatWasReplaced) {
  std::filesystem::rename(root_, folder_.file("old"));
  EXPECT_EQ(find("/index.html"), Result::kNone);
  std::filesystem::create_directory(root_);
  std::ofstream(root_ + "/index.html") << "deployed";
  ASSERT_EQ(find("/index.html"), Result::kFile);
  EXPECT_EQ(file_.size, 8U);
}

TEST(DecodedPath, IsDecodedOnceAndHoldsNoControlCharacters) {
  EXPECT_EQ(decoded_path("/a%20b%2525?x=%00"), "/a b%25");
  EXPECT_EQ(decoded_path("/a+b#c"), "/a+b");
  EXPECT_EQ(decoded_path("/%e2%82%ac"), "/\xe2\x82\xac");
  for (const char* target : {"/a%00.html", "/%0a", "/%1F", "/%7f", "/%", "/%2", "/%zz", "/a%0d%0aX: y"})
    EXPECT_EQ(decoded_path(target), std::nullopt) << target;
}

}  // namespace
}  // namespace sse::pages
