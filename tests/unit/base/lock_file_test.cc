#include "base/lock_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>

#include "base/error.h"
#include "support/errors.h"
#include "support/files.h"

namespace sse {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class LockFileTest : public ::testing::Test {
 protected:
  static LockFile::LockErrors errors() {
    return {"cannot open the lock", "use another folder",
            [](const std::string& holder) { return "in use by another server" + holder; }};
  }
  // What an attempt to take the lock says; empty when it succeeds.
  std::string attempt(ErrorCode expected = ErrorCode::kConflict) const {
    return testing::refusal_of([&] { const LockFile lock(path_, errors()); }, expected);
  }

  const testing::TempFolder folder_;
  const std::string path_ = folder_.file("lock");
};

TEST_F(LockFileTest, RefusesASecondHolderAndNamesTheProcessOfTheFirst) {
  const LockFile lock(path_, errors());
  EXPECT_EQ(attempt(), "in use by another server (pid " + std::to_string(getpid()) + ")");
  EXPECT_EQ(attempt(), "in use by another server (pid " + std::to_string(getpid()) + ")")
      << "the first attempt took it";
  EXPECT_TRUE(std::filesystem::exists(path_)) << "the refused one must not remove the holder's file";
}

TEST_F(LockFileTest, LeavesNoFileAndCanBeTakenAgain) {
  for (int i = 0; i < 2; ++i) {
    std::optional<LockFile> lock;
    lock.emplace(path_, errors());
    EXPECT_TRUE(std::filesystem::exists(path_));
    lock.reset();
    EXPECT_FALSE(std::filesystem::exists(path_));
  }
  EXPECT_EQ(attempt(), "");
}

TEST_F(LockFileTest, IsReadableForItsUserOnly) {
  const LockFile lock(path_, errors());
  struct stat found {};
  ASSERT_EQ(stat(path_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);
}

TEST_F(LockFileTest, TakesTheLockOfAHolderThatDied) {
  const pid_t child = fork();
  if (child == 0) {
    // Ends without any destructor.
    new LockFile(path_, errors());
    _exit(0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ASSERT_EQ(testing::read_file(path_), std::to_string(child) + "\n");
  const LockFile lock(path_, errors());
  EXPECT_EQ(testing::read_file(path_), std::to_string(getpid()) + "\n");
}

TEST_F(LockFileTest, TakesOverAFileThatAKilledProcessLeft) {
  testing::write_file(path_, "4711, a longer text than a process id\n");
  const LockFile lock(path_, errors());
  EXPECT_EQ(testing::read_file(path_), std::to_string(getpid()) + "\n");
}

TEST_F(LockFileTest, SaysNoProcessWhenTheFileNamesNone) {
  const LockFile lock(path_, errors());
  for (const char* content : {"", "nonsense", "\n"}) {
    testing::write_file(path_, content);
    EXPECT_EQ(attempt(), "in use by another server") << content;
  }
}

TEST_F(LockFileTest, FollowsNoLinkAndGivesItsAdvice) {
  testing::write_file(folder_.file("precious"), "precious");
  std::filesystem::create_symlink(folder_.file("precious"), path_);
  EXPECT_THAT(attempt(ErrorCode::kIo), AllOf(StartsWith("cannot open the lock: "), HasSubstr("; use another folder")));
  EXPECT_EQ(testing::read_file(folder_.file("precious")), "precious");
}

TEST_F(LockFileTest, SaysThatTheFolderIsMissing) {
  const Error error = testing::error_of([&] { const LockFile lock(folder_.file("missing/lock"), errors()); });
  EXPECT_THAT(error.what(), AllOf(StartsWith("cannot open the lock: No such file"), HasSubstr("; use another folder")));
}

}  // namespace
}  // namespace sse
