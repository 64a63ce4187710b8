#include "event/chunk_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace sse::event {
namespace {

std::string read(ChunkReader& reader, std::string_view bytes, std::size_t piece) {
  std::string body;
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    reader.feed(bytes.substr(at, piece), [&](std::string_view part) { body += part; });
  return body;
}

TEST(ChunkReader, ReadsTheSameBodyHoweverItIsCut) {
  const std::string chunked =
      "3\r\nabc\r\n0A;name=value\r\n0123456\r\n9\r\n1\r\nx\r\n0\r\nSome: trailer\r\nMore: of it\r\n\r\n";
  for (std::size_t piece = 1; piece <= chunked.size(); ++piece) {
    ChunkReader reader;
    EXPECT_EQ(read(reader, chunked, piece), "abc0123456\r\n9x") << piece;
    EXPECT_TRUE(reader.complete()) << piece;
    EXPECT_FALSE(reader.bad());
  }
}

TEST(ChunkReader, GivesWhatIsThereOfAnUnfinishedChunk) {
  ChunkReader reader;
  EXPECT_EQ(read(reader, "ff\r\nbegin", 100), "begin");
  EXPECT_FALSE(reader.complete());
  EXPECT_FALSE(reader.bad());
}

TEST(ChunkReader, IsCompleteWithTheLastChunkOnly) {
  ChunkReader reader;
  EXPECT_EQ(read(reader, "1\r\nx\r\n0\r\n", 100), "x");
  EXPECT_FALSE(reader.complete());
  EXPECT_EQ(read(reader, "\r\nbehind", 100), "");
  EXPECT_TRUE(reader.complete());
}

TEST(ChunkReader, SaysWhenItIsNotChunked) {
  for (const std::string_view bad : {"data:x\n\n", "\r\n", "3\nabc", "3\r\nabcd\r\n", "3\r\nabc\n", "-1\r\nx", "x",
                                     "fffffffffffffffff\r\n", "0\r\n\r\t"}) {
    ChunkReader reader;
    read(reader, bad, 1);
    EXPECT_TRUE(reader.bad()) << bad;
    EXPECT_FALSE(reader.complete()) << bad;
  }
}

}  // namespace
}  // namespace sse::event
