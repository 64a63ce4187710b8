#include "event/event.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

#include "base/error.h"
#include "base/text.h"
#include "support/event_parser.h"

namespace sse::event {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using sse::testing::parse_events;
using sse::testing::ReceivedEvent;

// A stream cannot tell CR, LF and CRLF apart: a reader sees LF.
std::string breaks_as_lf(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    out += text[i] == '\r' ? '\n' : text[i];
  }
  return out;
}

void expect_arrives(const Event& event) {
  SCOPED_TRACE(printable(event.data));
  validate(event);
  const std::string before = encode({"before", "x", "1", {}});
  const std::vector<ReceivedEvent> got = parse_events(before + encode(event) + encode({"after", "y", "", {}}));
  ASSERT_EQ(got.size(), 3U);
  const std::string id = event.id.empty() ? "1" : event.id;
  EXPECT_EQ(got[0], (ReceivedEvent{"before", "x", "1"}));
  EXPECT_EQ(got[1], (ReceivedEvent{event.name.empty() ? "message" : event.name, breaks_as_lf(event.data), id}));
  EXPECT_EQ(got[2], (ReceivedEvent{"after", "y", id}));
}

void expect_refused(const Event& event, std::string_view sentence) {
  try {
    validate(event);
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(error.what(), sentence);
  }
}

TEST(Encode, HasTheShapeOfTheProtocol) {
  EXPECT_EQ(encode({"connect-finish", "{}", "847140540416", 5000ms}),
            "id:847140540416\nretry:5000\nevent:connect-finish\ndata:{}\n\n");
  EXPECT_EQ(encode({"", "x", "", {}}), "data:x\n\n");
}

TEST(Encode, DataArrivesWhateverItHolds) {
  for (const std::string& data : {""s,
                                  "x"s,
                                  " x"s,
                                  "  x"s,
                                  " "s,
                                  ":"s,
                                  ": x"s,
                                  "a\nb"s,
                                  "a\rb"s,
                                  "a\r\nb"s,
                                  "a\n\rb"s,
                                  "a\r\rb"s,
                                  "a\n\nb"s,
                                  "\n"s,
                                  "\r"s,
                                  "\r\n"s,
                                  "\n\n"s,
                                  "a\n"s,
                                  "\na"s,
                                  "a\r"s,
                                  "\ra"s,
                                  "a\r\n"s,
                                  "\r\na"s,
                                  "\n b"s,
                                  "a\n b"s,
                                  "data:x"s,
                                  "id:9"s,
                                  "a\nid:9"s,
                                  "a\nretry:1"s,
                                  "event:e\n\n"s,
                                  "\xEF\xBB\xBF"
                                  "bom"s,
                                  "\xEF\xBB\xBF"s,
                                  "\0"s,
                                  "a\0b"s,
                                  "👩‍👩‍👧 服务端"s,
                                  "\u2028\u2029\u0085"s,
                                  "\t"s,
                                  "{\"name\":\"sendByUserId 服务端推送的\"}"s}) {
    expect_arrives({"server-push", data, "7", {}});
    expect_arrives({"", data, "", {}});
  }
}

TEST(Encode, ABigPayloadArrives) {
  std::string data(1 << 20, 'x');
  for (std::size_t i = 100; i < data.size(); i += 1000) data[i] = '\n';
  expect_arrives({"big", data, "1", {}});
}

TEST(Encode, NamesAndIdsMayHoldAnythingButBreaks) {
  for (const std::string& name : {" x"s, "a:b"s, ":"s, "服务端"s, "\xEF\xBB\xBF"s, "data"s, "  "s}) {
    expect_arrives({name, "d", "1", {}});
    expect_arrives({"e", "d", name, {}});
  }
}

TEST(Encode, AnIdOfTheStreamsFirstEventSurvivesAByteOrderMark) {
  // Only a BOM at the very start of the stream is dropped; ours starts with a field name, so none of the data is.
  const auto got = parse_events(encode({"", "\xEF\xBB\xBFx", "", {}}));
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].data, "\xEF\xBB\xBFx");
}

TEST(Encode, RetryReachesTheReader) {
  sse::testing::EventParser parser;
  parser.feed(encode({"", "", "", 1500ms}), [](const ReceivedEvent&) {});
  EXPECT_EQ(parser.retry(), 1500);
}

TEST(NameOf, FindsTheNameOfAnEncodedEvent) {
  EXPECT_EQ(name_of(encode({"news", "event:other", "7", 5ms})), "news");
  EXPECT_EQ(name_of(encode({"", "event:other", "7", 5ms})), "");
  EXPECT_EQ(name_of("event:sse-ping\ndata:\n\n"), "sse-ping");
  EXPECT_EQ(name_of(encode_cursor("9")), "");
  EXPECT_EQ(name_of(kHeartbeat), "");
  EXPECT_EQ(name_of("event:cut"), "cut");
  EXPECT_EQ(name_of(""), "");
}

TEST(Encode, RandomEventsArrive) {
  constexpr std::array<std::string_view, 12> kPieces{
      "\r", "\n", "\r\n", " ", ":", "data", "id", "event:", "👩", "\0", "\xEF\xBB\xBF", "x"};
  std::mt19937 random(20240301);
  const auto text = [&random, &kPieces](bool breaks) {
    std::string out;
    const auto length = random() % 9;
    for (unsigned i = 0; i < length; ++i) {
      const std::string_view piece = kPieces.at(random() % kPieces.size());
      if (breaks || (piece.find_first_of("\r\n") == std::string_view::npos && !piece.empty())) out += piece;
    }
    return out;
  };
  for (int i = 0; i < 5000 && !::testing::Test::HasFailure(); ++i)
    expect_arrives({text(false), text(true), text(false), {}});
}

TEST(Heartbeat, DispatchesNothingAndKeepsTheLastId) {
  const auto got = parse_events(encode({"a", "1", "5", {}}) + std::string(kHeartbeat) + encode({"b", "2", "", {}}));
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got[1], (ReceivedEvent{"b", "2", "5"}));
}

TEST(Validate, RefusesBreaksAndNulInNameAndId) {
  for (const std::string& bad : {"a\nb"s, "a\rb"s, "a\r\n"s, "\n"s, "a\0b"s, "\0"s}) {
    const std::string shown = printable(bad);
    expect_refused({bad, "d", "", {}},
                   "the event name '" + shown + "' holds a line break or NUL, which an event stream cannot carry");
    expect_refused({"e", "d", bad, {}},
                   "the event id '" + shown + "' holds a line break or NUL, which an event stream cannot carry");
  }
}

TEST(Validate, RefusesInvalidUtf8Anywhere) {
  expect_refused({"\xFF", "d", "", {}}, "the event name is not valid UTF-8");
  expect_refused({"e", "d", "\xC0\x80", {}}, "the event id is not valid UTF-8");
  expect_refused({"e", "\xED\xA0\x80", "", {}}, "the event data is not valid UTF-8; encode binary data as base64");
}

}  // namespace
}  // namespace sse::event
