#include "base/paths.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "support/files.h"

namespace sse {
namespace {

class Paths : public ::testing::Test {
 protected:
  void SetUp() override {
    for (std::size_t i = 0; i < std::size(kNames); ++i) {
      if (const char* value = std::getenv(kNames[i])) before_[i] = value;
      unsetenv(kNames[i]);
    }
  }
  void TearDown() override {
    for (std::size_t i = 0; i < std::size(kNames); ++i) {
      if (before_[i]) {
        setenv(kNames[i], before_[i]->c_str(), 1);
      } else {
        unsetenv(kNames[i]);
      }
    }
  }

 private:
  static constexpr const char* kNames[] = {"XDG_RUNTIME_DIR", "XDG_STATE_HOME", "HOME"};
  std::optional<std::string> before_[std::size(kNames)];
};

TEST_F(Paths, UsesTheRuntimeDirectoryForTheSocket) {
  setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
  EXPECT_EQ(default_admin_address(), "unix:/run/user/7/sse-serve/admin.sock");
}

TEST_F(Paths, KeepsUsersApartInTmpWithoutOne) {
  EXPECT_EQ(default_admin_address(), "unix:/tmp/sse-serve-" + std::to_string(getuid()) + "/admin.sock");
}

TEST_F(Paths, KeepsTheDatabaseInTheStateFolder) {
  setenv("HOME", "/home/ann", 1);
  EXPECT_EQ(default_database_path(), "/home/ann/.local/state/sse-serve/pending.db");
  setenv("XDG_STATE_HOME", "/state", 1);
  EXPECT_EQ(default_database_path(), "/state/sse-serve/pending.db");
}

TEST_F(Paths, IgnoresRelativeFolders) {
  setenv("HOME", "/home/ann", 1);
  setenv("XDG_STATE_HOME", "state", 1);
  setenv("XDG_RUNTIME_DIR", "", 1);
  EXPECT_EQ(default_database_path(), "/home/ann/.local/state/sse-serve/pending.db");
  EXPECT_EQ(default_admin_address().rfind("unix:/tmp/", 0), 0U);
}

TEST_F(Paths, FindsTheHomeOfTheUserWithoutAnyVariable) {
  const std::string path = default_database_path();
  EXPECT_EQ(path.front(), '/');
  EXPECT_NE(path.find("/.local/state/sse-serve/pending.db"), std::string::npos);
}

TEST_F(Paths, FindsTheSocketOfTheSystemsServiceBehindTheUsersOwn) {
  const testing::TempFolder folder;
  setenv("XDG_RUNTIME_DIR", folder.file("run").c_str(), 1);
  const std::string system = folder.file("system");
  const std::string own = default_admin_address();
  EXPECT_EQ(find_admin_address(system), own) << "without any server";
  std::filesystem::create_directories(system);
  EXPECT_EQ(find_admin_address(system), own) << "without a socket";
  std::ofstream(system + "/admin.sock").put('x');
  EXPECT_EQ(find_admin_address(system), "unix:" + system + "/admin.sock");
  std::filesystem::create_directories(folder.file("run") + "/sse-serve");
  std::ofstream(own.substr(5)).put('x');
  EXPECT_EQ(find_admin_address(system), own);
}

}  // namespace
}  // namespace sse
