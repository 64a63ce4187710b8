#include "base/fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace sse {
namespace {

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

class UniqueFdTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::pipe(ends_.data()), 0); }
  void TearDown() override {
    for (const int fd : ends_) {
      if (is_open(fd)) ::close(fd);
    }
  }
  std::array<int, 2> ends_{};
};

TEST_F(UniqueFdTest, ClosesWhatItOwns) {
  { const UniqueFd owner(ends_[0]); }
  EXPECT_FALSE(is_open(ends_[0]));
  EXPECT_TRUE(is_open(ends_[1]));
}

TEST_F(UniqueFdTest, MovingHandsOverAndClosesTheFormer) {
  UniqueFd a(ends_[0]);
  UniqueFd b(ends_[1]);
  b = std::move(a);
  EXPECT_EQ(b.get(), ends_[0]);
  EXPECT_TRUE(is_open(ends_[0]));
  EXPECT_FALSE(is_open(ends_[1]));
  const UniqueFd c(std::move(b));
  EXPECT_TRUE(c.valid());
}

TEST_F(UniqueFdTest, ReleaseGivesUpWithoutClosing) {
  UniqueFd owner(ends_[0]);
  EXPECT_EQ(owner.release(), ends_[0]);
  EXPECT_FALSE(owner.valid());
  owner.reset();
  EXPECT_TRUE(is_open(ends_[0]));
}

}  // namespace
}  // namespace sse
