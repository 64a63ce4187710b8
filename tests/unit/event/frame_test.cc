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

TEST(Frame, IsAlsoOneChunkAroundTheSameBytes) {
  for (const std::size_t size : {1U, 15U, 16U, 255U, 256U, 70'000U}) {
    const std::string bytes(size, 'x');
    const FrameRef frame = Frame::make(bytes, MessageId(7), TargetKind::kUser);
    const Frame& chunk = frame->view(true);
    std::string expected;
    for (std::size_t left = size; left != 0; left /= 16) expected.insert(0, 1, "0123456789abcdef"[left % 16]);
    const std::size_t head = expected.size() + 2;
    expected += "\r\n" + bytes + "\r\n";
    EXPECT_TRUE(chunk.bytes() == expected) << size;
    EXPECT_EQ(chunk.bytes().data() + head, frame->bytes().data()) << "not one allocation";
    EXPECT_EQ(chunk.size(), size_on_stream(size, true));
    EXPECT_EQ(frame->size(), size_on_stream(size, false));
    EXPECT_EQ(chunk.message(), MessageId(7));
    EXPECT_EQ(chunk.recipient(), TargetKind::kUser);
    EXPECT_EQ(&chunk.plain(), &*frame);
    EXPECT_EQ(&frame->plain(), &*frame);
    EXPECT_EQ(&frame->view(false), &*frame);
  }
}

// A chunk of no bytes is the last one: the body would end there.
TEST(Frame, OfNoBytesIsNoChunk) {
  EXPECT_EQ(Frame::make("")->view(true).bytes(), "");
  EXPECT_EQ(size_on_stream(0, true), 0U);
  EXPECT_EQ(last_chunk()->view(true).bytes(), "0\r\n\r\n");
  EXPECT_EQ(last_chunk()->view(false).bytes(), "");
}

TEST(Frame, UnframedIsTheSameInBothViews) {
  const FrameRef head = Frame::make_unframed("HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(head->bytes(), "HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(head->view(true).bytes(), head->bytes());
}

TEST(Frame, AReferenceToOneViewKeepsBoth) {
  FrameRef frame = Frame::make("abc");
  FrameRef chunk = Frame::share(frame->view(true));
  frame = FrameRef();
  EXPECT_EQ(chunk->bytes(), "3\r\nabc\r\n");
  EXPECT_EQ(chunk->plain().bytes(), "abc");
  frame = Frame::share(chunk->plain());
  chunk = FrameRef();
  EXPECT_EQ(frame->bytes(), "abc");
  // And once more, after no reference to the chunk was left.
  chunk = Frame::share(frame->view(true));
  const FrameRef copy = chunk;
  chunk = FrameRef();
  frame = FrameRef();
  EXPECT_EQ(copy->bytes(), "3\r\nabc\r\n");
}

TEST(Frame, TheChunkOfAnAliasIsItsOwn) {
  FrameRef frame = Frame::make("abc");
  FrameRef alias = frame->alias();
  const FrameRef chunk = Frame::share(alias->view(true));
  EXPECT_EQ(chunk->bytes().data(), frame->view(true).bytes().data());
  frame = FrameRef();
  alias = FrameRef();
  EXPECT_EQ(chunk->bytes(), "3\r\nabc\r\n");
  EXPECT_EQ(chunk->plain().bytes(), "abc");
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
        for (int n = 0; n < 1000; ++n) {
          const FrameRef chunk = Frame::share(mine->view(true));
          EXPECT_EQ(chunk->size(), mine->size() + 5);
        }
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
