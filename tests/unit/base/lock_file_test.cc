#include "base/lock_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"

namespace sse {
namespace {

using testing::EndsWith;
using testing::StartsWith;

class LockFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "sse-lock-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const char* name = "it.lock") const { return folder_ / name; }

  static std::unique_ptr<LockFile> lock(const std::string& path) {
    return std::make_unique<LockFile>(
        path, LockFile::LockErrors{"cannot open the lock", "choose another place",
                                   [](const std::string& holder) { return "taken by another one" + holder; }});
  }

  static std::optional<Error> refusal(const std::string& path) {
    try {
      lock(path);
    } catch (const Error& e) {
      return e;
    }
    return std::nullopt;
  }

  std::filesystem::path folder_;
};

TEST_F(LockFileTest, NamesItsHolderAndIsRemovedByIt) {
  auto held = lock(path());
  std::ifstream file(path());
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), std::to_string(getpid()) + "\n");
  held.reset();
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(LockFileTest, RefusesASecondHolderWithTheFirstOnesProcessId) {
  auto held = lock(path());
  const auto error = refusal(path());
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::kConflict);
  EXPECT_STREQ(error->what(), ("taken by another one (pid " + std::to_string(getpid()) + ")").c_str());
  EXPECT_TRUE(std::filesystem::exists(path())) << "the refused one must not remove the holder's file";
  held.reset();
  EXPECT_FALSE(refusal(path()));
}

TEST_F(LockFileTest, TakesOverAFileThatAKilledProcessLeft) {
  std::ofstream(path()) << "4711, a longer text than a process id\n";
  auto held = lock(path());
  std::ifstream file(path());
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), std::to_string(getpid()) + "\n");
}

TEST_F(LockFileTest, AFileThatCannotBeOpenedIsRefusedWithAdvice) {
  const auto missing = refusal((folder_ / "no" / "it.lock").string());
  ASSERT_TRUE(missing);
  EXPECT_THAT(missing->what(), StartsWith("cannot open the lock"));
  EXPECT_THAT(missing->what(), EndsWith("; choose another place"));
}

TEST_F(LockFileTest, FollowsNoSymbolicLink) {
  std::ofstream(path("precious")) << "text";
  std::filesystem::create_symlink(path("precious"), path());
  EXPECT_TRUE(refusal(path()));
  std::ifstream file(path("precious"));
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "text");
}

}  // namespace
}  // namespace sse
