#include "ssectl/load/event_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sse::load {
namespace {

const Mark kMark{SteadyTime(std::chrono::nanoseconds(123456789)), 3, 42};

TEST(Mark, IsReadBackFromAPayloadOfTheSizeAsked) {
  const std::string data = payload(kMark, 100);
  EXPECT_EQ(data.size(), 100U);
  EXPECT_EQ(read_mark(data), kMark);
}

TEST(Mark, FitsTheLeastSizeHoweverLongARunTakes) {
  const Mark largest{SteadyTime(std::chrono::hours(24 * 365 * 3)), 999, 9'999'999'999};
  EXPECT_EQ(payload(largest, kMinDataSize).size(), kMinDataSize);
}

TEST(Mark, IsNotSeenInOtherData) {
  for (const char* data : {"", "t=", "t=1 k=2", "t=1 k=2 s=3", "t=x k=2 s=3 ", "t=1 k=-2 s=3 ", "hello", "t=1k=2 s=3 "})
    EXPECT_FALSE(read_mark(data)) << data;
}

std::vector<Mark> read_in_pieces(const std::string& bytes, std::size_t piece) {
  EventReader reader;
  std::vector<Mark> marks;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    std::string_view part = std::string_view(bytes).substr(at, piece);
    if (reader.head() == EventReader::Head::kIncomplete) reader.read_head(part);
    if (reader.head() == EventReader::Head::kGood) reader.read(part, [&](const Mark& mark) { marks.push_back(mark); });
  }
  return marks;
}

TEST(EventReader, FindsTheSameEventsHoweverTheBytesAreCut) {
  Mark second = kMark;
  ++second.sequence;
  const std::string stream =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid:1\nevent:connect-finish\ndata:{}\n\n:\n\n"
      "id:2\nevent:bench\ndata:" +
      payload(kMark, 60) + "\n\nevent:other\ndata:t=1\n\ndata: " + payload(second, 60) + "\n\n";
  for (std::size_t piece = 1; piece <= stream.size(); ++piece)
    ASSERT_EQ(read_in_pieces(stream, piece), (std::vector{kMark, second})) << "pieces of " << piece;
}

TEST(EventReader, FindsThemInAChunkedStreamToo) {
  const std::string line = "id:2\nevent:bench\ndata:" + payload(kMark, 60) + "\n\n";
  // Chunks that begin and end in the middle of a line.
  const auto chunk = [](const std::string& bytes) {
    constexpr const char* kDigits = "0123456789abcdef";
    return std::string{kDigits[bytes.size() / 16], kDigits[bytes.size() % 16]} + "\r\n" + bytes + "\r\n";
  };
  const std::string stream = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" +
                             chunk("id:1\nevent:connect-finish\ndata:{}\n\n") + chunk(line.substr(0, 30)) +
                             chunk(line.substr(30)) + chunk(line) + "0\r\n\r\n";
  for (std::size_t piece = 1; piece <= stream.size(); ++piece)
    ASSERT_EQ(read_in_pieces(stream, piece), (std::vector{kMark, kMark})) << "pieces of " << piece;
}

TEST(EventReader, ShowsHowAStreamWasRefused) {
  EventReader reader;
  std::string_view bytes = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\nfull";
  EXPECT_EQ(reader.read_head(bytes), EventReader::Head::kRefused);
  EXPECT_EQ(reader.status(), "HTTP/1.1 503 Service Unavailable");
}

}  // namespace
}  // namespace sse::load
