#include "ssectl/input/confirmation.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "base/error.h"
#include "base/fd.h"

namespace sse::ctl {
namespace {

TEST(Confirmation, AsksNothingWithYes) {
  Output out(Format::kTable, true);
  out.start_capture();
  EXPECT_TRUE(Confirmation{true}.given("delete all?", "nothing was deleted", out));
  EXPECT_EQ(out.take_captured(), "");
}

TEST(Confirmation, WithoutATerminalNeedsYes) {
  const UniqueFd before(dup(STDIN_FILENO));
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  dup2(null.get(), STDIN_FILENO);
  Output out(Format::kTable, true);
  try {
    Confirmation().given("delete all?", "nothing was deleted", out);
    ADD_FAILURE() << "it acted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(e.what(), ::testing::HasSubstr("add --yes"));
  }
  dup2(before.get(), STDIN_FILENO);
}

}  // namespace
}  // namespace sse::ctl
