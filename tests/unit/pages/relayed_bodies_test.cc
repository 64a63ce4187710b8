#include "pages/relayed_bodies.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "base/error.h"
#include "base/manual_clock.h"
#include "support/files.h"

namespace sse::pages {
namespace {

class RelayedBodiesTest : public ::testing::Test {
 protected:
  RelayedBodies::Options options() {
    RelayedBodies::Options o;
    o.folder = folder_.file("");
    o.max_body = mebibytes(4);
    o.max_body_option = "--max-upload";
    o.max_bodies = 3;
    o.idle = std::chrono::seconds(30);
    o.disk = &disk_;
    o.clock = &clock_;
    return o;
  }
  ErrorCode refused(const cluster::BodyCommand& piece) {
    try {
      bodies_.append(piece);
    } catch (const Error& e) {
      sentence_ = e.what();
      return e.code();
    }
    ADD_FAILURE() << "the piece was taken";
    return ErrorCode::kInternal;
  }

  testing::TempFolder folder_;
  ManualClock clock_;
  net::ByteBudget disk_{mebibytes(6), "--max-body-disk"};
  RelayedBodies bodies_{options()};
  std::string sentence_;
};

TEST_F(RelayedBodiesTest, PutsThePiecesTogether) {
  bodies_.append({"t", 0, 10, "hello"});
  bodies_.append({"u", 0, 1, "x"});
  EXPECT_THROW(bodies_.take("t"), Error);
  bodies_.append({"t", 5, 10, "world"});
  const auto body = bodies_.take("t");
  std::string text(10, ' ');
  EXPECT_EQ(::pread(body->spool.fd(), text.data(), 10, 0), 10);
  EXPECT_EQ(text, "helloworld");
  EXPECT_THROW(bodies_.take("t"), Error);
}

TEST_F(RelayedBodiesTest, RefusesWhatDoesNotFollow) {
  EXPECT_EQ(refused({"t", 5, 10, "world"}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused({"", 0, 10, "world"}), ErrorCode::kInvalidArgument);
  for (const cluster::BodyCommand& second :
       {cluster::BodyCommand{"t", 0, 10, "hello"}, cluster::BodyCommand{"t", 6, 10, "orld"},
        cluster::BodyCommand{"t", 5, 11, "world"}, cluster::BodyCommand{"t", 5, 10, "worlds"},
        cluster::BodyCommand{"t", 5, 10, ""}}) {
    bodies_.append({"t", 0, 10, "hello"});
    EXPECT_EQ(refused(second), ErrorCode::kInvalidArgument) << second.offset << second.bytes;
    // And that was the end of it.
    EXPECT_EQ(disk_.used(), 0u);
  }
}

TEST_F(RelayedBodiesTest, TakesTheWholeBodyFromTheBudgetBeforeItsFirstByte) {
  EXPECT_EQ(refused({"t", 0, 4 * 1024 * 1024 + 1, "x"}), ErrorCode::kTooLarge);
  EXPECT_NE(sentence_.find("4MiB (--max-upload)"), std::string::npos) << sentence_;
  bodies_.append({"t", 0, 4 * 1024 * 1024, "x"});
  EXPECT_EQ(disk_.used(), 4u * 1024 * 1024);
  EXPECT_EQ(refused({"u", 0, 3 * 1024 * 1024, "x"}), ErrorCode::kLimitExceeded);
  EXPECT_NE(sentence_.find("--max-body-disk"), std::string::npos) << sentence_;
  // A small one counts as a mebibyte, which bounds their number.
  bodies_.append({"u", 0, 1, "x"});
  EXPECT_EQ(disk_.used(), 5u * 1024 * 1024);
  bodies_.append({"v", 0, 1, "x"});
  EXPECT_EQ(refused({"w", 0, 1, "x"}), ErrorCode::kLimitExceeded);
  bodies_.take("u");
  EXPECT_EQ(disk_.used(), 5u * 1024 * 1024);
}

TEST_F(RelayedBodiesTest, GivesUpATransferThatGoesNoFurther) {
  bodies_.append({"t", 0, 10, "hello"});
  clock_.advance(std::chrono::seconds(29));
  bodies_.sweep();
  bodies_.append({"t", 5, 10, "wor"});
  clock_.advance(std::chrono::seconds(29));
  bodies_.sweep();
  EXPECT_NE(disk_.used(), 0u);
  clock_.advance(std::chrono::seconds(2));
  bodies_.sweep();
  EXPECT_EQ(disk_.used(), 0u);
  EXPECT_EQ(refused({"t", 8, 10, "ld"}), ErrorCode::kInvalidArgument);
}

TEST_F(RelayedBodiesTest, SaysThatItCannotBeWritten) {
  RelayedBodies::Options nowhere = options();
  nowhere.folder = folder_.file("missing");
  RelayedBodies bodies(nowhere);
  EXPECT_THROW(bodies.append({"t", 0, 10, "hello"}), Error);
  EXPECT_EQ(disk_.used(), 0u);
}

}  // namespace
}  // namespace sse::pages
