#include "event/frame.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace sse::event {
namespace {

TEST(Frame, KeepsACopyOfItsBytesAndWhatTheyConfirm) {
  std::string bytes("data:\0x\n\n", 9);
  const FrameRef frame = Frame::make(bytes, MessageId(5), TargetKind::kUser);
  const std::string expected = bytes;
  bytes.assign("gone");
  EXPECT_EQ(frame->bytes(), expected);
  EXPECT_EQ(frame->size(), 9U);
  EXPECT_EQ(frame->message(), MessageId(5));
  EXPECT_EQ(frame->recipient(), TargetKind::kUser);
}

TEST(Frame, AnAtMostOnceFrameConfirmsNothing) {
  EXPECT_FALSE(Frame::make("x")->message().valid());
}

TEST(Frame, AnAliasSharesTheBytesAndOutlivesTheFrameItWasMadeOf) {
  FrameRef frame = Frame::make("data:x\n\n", MessageId(7), TargetKind::kTenant);
  const char* bytes = frame->bytes().data();
  const FrameRef alias = frame->alias();
  frame = FrameRef();
  EXPECT_EQ(alias->bytes(), "data:x\n\n");
  EXPECT_EQ(alias->bytes().data(), bytes);
  EXPECT_EQ(alias->message(), MessageId(7));
  EXPECT_EQ(alias->recipient(), TargetKind::kTenant);
}

TEST(Frame, MayBeEmpty) {
  EXPECT_TRUE(Frame::make("")->bytes().empty());
}

TEST(FrameRef, CopiesShareMovesTake) {
  FrameRef a = Frame::make("abc");
  const FrameRef b = a;
  EXPECT_EQ(&*a, &*b);
  const FrameRef c = std::move(a);
  EXPECT_EQ(&*c, &*b);
  FrameRef none;
  EXPECT_FALSE(none);
  none = c;
  EXPECT_TRUE(none);
  none = FrameRef();
  EXPECT_EQ(b->bytes(), "abc");
}

TEST(FrameRef, AssigningItselfKeepsTheFrame) {
  FrameRef a = Frame::make("abc");
  const FrameRef& same = a;
  a = same;
  EXPECT_EQ(a->bytes(), "abc");
}

// Under AddressSanitizer and ThreadSanitizer this shows a release too early, too late or unordered.
TEST(FrameRef, LastOwnerOnAnyThreadReleases) {
  for (int round = 0; round < 50; ++round) {
    FrameRef frame = Frame::make("shared by many");
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([mine = frame] {
        std::vector<FrameRef> backlog;
        for (int i = 0; i < 100; ++i) backlog.push_back(mine);
        for (const FrameRef& held : backlog) EXPECT_EQ(held->bytes(), "shared by many");
      });
    }
    frame = FrameRef();
    for (std::thread& thread : threads) thread.join();
  }
}

}  // namespace
}  // namespace sse::event
