#include "net/spool.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "base/error.h"
#include "support/files.h"

namespace sse::net {
namespace {

TEST(Spool, KeepsBytesInOrderAndLeavesNoFile) {
  const testing::TempFolder folder;
  Spool spool;
  EXPECT_EQ(spool.fd(), -1);
  spool.append("hello ", folder.file(""));
  spool.append("", folder.file(""));
  spool.append(std::string(100'000, 'x'), folder.file(""));
  EXPECT_EQ(spool.size(), 100'006U);
  std::string back(spool.size(), '\0');
  EXPECT_EQ(::pread(spool.fd(), back.data(), back.size(), 0), 100'006);
  EXPECT_EQ(back, "hello " + std::string(100'000, 'x'));
  EXPECT_TRUE(std::filesystem::is_empty(folder.file("")));
}

TEST(Spool, NamesTheFolderItCannotWriteTo) {
  Spool spool;
  try {
    spool.append("x", "/no/such/folder");
    FAIL() << "it could";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("/no/such/folder"), std::string::npos);
  }
}

}  // namespace
}  // namespace sse::net
