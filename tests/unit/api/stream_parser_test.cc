#include "api/stream_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sse::api {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> parse(StreamParser& parser, const std::string& bytes, std::size_t piece = std::string::npos) {
  std::vector<std::string> events;
  const auto take = [&](StreamEvent&& event) { events.push_back(event.name + "|" + event.data + "|" + event.id); };
  for (std::size_t at = 0; at < bytes.size(); at += std::min(piece, bytes.size()))
    parser.feed(std::string_view(bytes).substr(at, piece), take);
  return events;
}

TEST(StreamParserTest, ReadsEventsHoweverTheBytesArrive) {
  const std::string stream =
      "\xEF\xBB\xBF: comment\nid: 1\nevent: news\ndata: one\ndata: two\n\n"
      "data\n\ndata:日本\r\rid:2\r\ndata: x\r\ndata:\r\n\r\n"
      "event: dropped\n\ndata: unfinished";
  for (const std::size_t piece : {std::string::npos, std::size_t{1}, std::size_t{2}, std::size_t{7}}) {
    StreamParser parser;
    EXPECT_THAT(parse(parser, stream, piece),
                ElementsAre("news|one\ntwo|1", "message||1", "message|日本|1", "message|x\n|2"))
        << piece;
  }
}

TEST(StreamParserTest, TakesAnIdWithoutAnEvent) {
  StreamParser parser;
  EXPECT_THAT(parse(parser, "data:x\nid:7\n\nid:9\n\n"), ElementsAre("message|x|7"));
  EXPECT_EQ(parser.last_event_id(), "9");
}

TEST(StreamParserTest, DropsTheUnfinishedWhenAConnectionEndsAndKeepsTheId) {
  StreamParser parser;
  EXPECT_THAT(parse(parser, "id:7\ndata:x\n\nid:8\ndata:unfinished\n"), ElementsAre("message|x|7"));
  parser.restart();
  EXPECT_EQ(parser.last_event_id(), "7");
  EXPECT_THAT(parse(parser, "data:fresh\n\n"), ElementsAre("message|fresh|7"));
}

TEST(StreamParserTest, ReadsTheReconnectTime) {
  StreamParser parser;
  EXPECT_FALSE(parser.retry());
  EXPECT_THAT(parse(parser, "retry:2500\n\nretry: 1x\n\n"), IsEmpty());
  EXPECT_EQ(parser.retry(), std::chrono::milliseconds(2500));
}

}  // namespace
}  // namespace sse::api
