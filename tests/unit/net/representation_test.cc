#include "net/representation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace sse::net {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Kind = Selection::Kind;

constexpr const char* kModified = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr const char* kEarlier = "Sun, 06 Nov 1994 08:49:36 GMT";
constexpr const char* kLater = "Sun, 06 Nov 1994 08:49:38 GMT";

Representation ten_bytes() {
  Representation what;
  what.content_type = "text/plain";
  what.etag = "\"a,b\"";
  what.modified = from_millis(784'111'777'123);
  what.headers = "Cache-Control: no-cache\r\n";
  what.bytes = "0123456789";
  what.size = what.bytes.size();
  return what;
}

// A head with these lines; the text must outlive it.
struct Request {
  explicit Request(const std::string& headers, const std::string& method = "GET")
      : text(method + " /x HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n") {
    std::size_t scanned = 0;
    scan = scan_head(text, scanned);
    EXPECT_EQ(scan.status, HeadScan::Status::kComplete) << text;
  }
  std::string text;
  HeadScan scan;
};

Selection selected(const std::string& headers, const std::string& method = "GET") {
  const Request request(headers, method);
  return select(request.scan.head, ten_bytes(), wall_now());
}
Kind kind(const std::string& headers, const std::string& method = "GET") {
  return selected(headers, method).kind;
}

std::string answer(const std::string& headers, const std::string& method = "GET", bool keep_alive = true) {
  const Request request(headers, method);
  return represent(request.scan.head, ten_bytes(), keep_alive, wall_now()).bytes;
}

std::string part(const std::string& range) {
  const Selection chosen = selected("Range: " + range + "\r\n");
  if (chosen.kind == Kind::kUnsatisfiable) return "416";
  if (chosen.kind != Kind::kPart) return "whole";
  return std::string(ten_bytes().bytes.substr(chosen.first, chosen.length));
}

TEST(Representation, IsNotSentAgainToAClientThatHasIt) {
  EXPECT_EQ(kind("If-None-Match: \"a,b\"\r\n"), Kind::kNotModified);
  EXPECT_EQ(kind("If-None-Match: W/\"a,b\"\r\n"), Kind::kNotModified);
  EXPECT_EQ(kind("If-None-Match: \"x\", \"a,b\"\r\n"), Kind::kNotModified);
  EXPECT_EQ(kind("If-None-Match: \"x\"\r\nIf-None-Match: \"a,b\"\r\n"), Kind::kNotModified);
  EXPECT_EQ(kind("If-None-Match: *\r\n"), Kind::kNotModified);
  EXPECT_EQ(kind("If-None-Match: \"a,b\"\r\n", "HEAD"), Kind::kNotModified);
  EXPECT_EQ(kind("If-None-Match: \"a\"\r\n"), Kind::kWhole);
  EXPECT_EQ(kind("If-None-Match: a,b\r\n"), Kind::kWhole);
  EXPECT_EQ(kind("If-None-Match: \"a,b\r\n"), Kind::kWhole);
  EXPECT_EQ(kind("If-Modified-Since: " + std::string(kModified) + "\r\n"), Kind::kNotModified);
  EXPECT_EQ(kind("If-Modified-Since: " + std::string(kEarlier) + "\r\n"), Kind::kWhole);
  EXPECT_EQ(kind("If-Modified-Since: yesterday\r\n"), Kind::kWhole);
}

TEST(Representation, BelievesTagsMoreThanDates) {
  EXPECT_EQ(kind("If-None-Match: \"x\"\r\nIf-Modified-Since: " + std::string(kLater) + "\r\n"), Kind::kWhole);
  EXPECT_EQ(kind("If-Match: \"a,b\"\r\nIf-Unmodified-Since: " + std::string(kEarlier) + "\r\n"), Kind::kWhole);
}

TEST(Representation, IsNotSentWhenItIsAnotherThanAskedFor) {
  EXPECT_EQ(kind("If-Match: \"x\"\r\n"), Kind::kPreconditionFailed);
  EXPECT_EQ(kind("If-Match: W/\"a,b\"\r\n"), Kind::kPreconditionFailed);
  EXPECT_EQ(kind("If-Match: *\r\n"), Kind::kWhole);
  EXPECT_EQ(kind("If-Unmodified-Since: " + std::string(kEarlier) + "\r\n"), Kind::kPreconditionFailed);
  EXPECT_EQ(kind("If-Unmodified-Since: " + std::string(kModified) + "\r\n"), Kind::kWhole);
  // Before what else is asked.
  EXPECT_EQ(kind("If-Match: \"x\"\r\nIf-None-Match: \"a,b\"\r\nRange: bytes=0-1\r\n"), Kind::kPreconditionFailed);
}

TEST(Representation, GivesOnePart) {
  EXPECT_EQ(part("bytes=0-0"), "0");
  EXPECT_EQ(part("bytes=2-4"), "234");
  EXPECT_EQ(part("Bytes=8-"), "89");
  EXPECT_EQ(part("bytes=5-100"), "56789");
  EXPECT_EQ(part("bytes=5-99999999999999999999999"), "56789");
  EXPECT_EQ(part("bytes=-3"), "789");
  EXPECT_EQ(part("bytes=-100"), "0123456789");
}

TEST(Representation, SaysWhichPartsThereAreNot) {
  for (const char* range : {"bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999-"})
    EXPECT_EQ(part(range), "416") << range;
}

TEST(Representation, GivesTheWholeWhereARangeIsNone) {
  for (const char* range : {"bytes=4-2", "bytes=", "bytes=-", "bytes=a-b", "bytes=1", "lines=1-2", "bytes=+1-2",
                            "bytes=0-1,3-4", "bytes=0-,0-,0-,0-", "bytes = 0-1"})
    EXPECT_EQ(part(range), "whole") << range;
  EXPECT_EQ(kind("Range: bytes=0-1\r\nRange: bytes=2-3\r\n"), Kind::kWhole);
  EXPECT_EQ(kind("Range: bytes=0-1\r\n", "HEAD"), Kind::kWhole);
}

TEST(Representation, GivesNoPartOfSomethingElse) {
  const std::string range = "Range: bytes=0-1\r\n";
  EXPECT_EQ(kind(range + "If-Range: \"a,b\"\r\n"), Kind::kPart);
  EXPECT_EQ(kind(range + "If-Range: W/\"a,b\"\r\n"), Kind::kWhole);
  EXPECT_EQ(kind(range + "If-Range: \"x\"\r\n"), Kind::kWhole);
  EXPECT_EQ(kind(range + "If-Range: " + kModified + "\r\n"), Kind::kPart);
  EXPECT_EQ(kind(range + "If-Range: " + kLater + "\r\n"), Kind::kWhole);
  EXPECT_EQ(kind(range + "If-Range: nonsense\r\n"), Kind::kWhole);
}

TEST(Representation, GivesTheWholeOfWhatIsEmpty) {
  const Request request("Range: bytes=-5\r\n");
  Representation empty = ten_bytes();
  empty.bytes = "";
  empty.size = 0;
  EXPECT_EQ(select(request.scan.head, empty, wall_now()).kind, Kind::kWhole);
}

TEST(Representation, WritesEachAnswer) {
  EXPECT_THAT(
      answer(""),
      AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("ETag: \"a,b\"\r\n"), HasSubstr("Accept-Ranges: bytes\r\n"),
            HasSubstr("Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"), HasSubstr("Content-Length: 10\r\n"),
            HasSubstr("Cache-Control: no-cache\r\n"), EndsWith("\r\n\r\n0123456789"), Not(HasSubstr("Connection:"))));
  EXPECT_THAT(answer("", "GET", false), HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer("", "HEAD"), AllOf(HasSubstr("Content-Length: 10\r\n"), EndsWith("\r\n\r\n")));
  EXPECT_THAT(answer("Range: bytes=2-4\r\n"),
              AllOf(StartsWith("HTTP/1.1 206 "), HasSubstr("Content-Range: bytes 2-4/10\r\n"),
                    HasSubstr("Content-Length: 3\r\n"), EndsWith("\r\n\r\n234")));
  EXPECT_THAT(answer("Range: bytes=10-\r\n"),
              AllOf(StartsWith("HTTP/1.1 416 "), HasSubstr("Content-Range: bytes */10\r\n")));
  EXPECT_THAT(answer("If-None-Match: *\r\n"),
              AllOf(StartsWith("HTTP/1.1 304 "), HasSubstr("ETag: \"a,b\"\r\n"),
                    HasSubstr("Cache-Control: no-cache\r\n"), EndsWith("\r\n\r\n"), Not(HasSubstr("Content-Length"))));
  EXPECT_THAT(answer("If-Match: \"x\"\r\n"), StartsWith("HTTP/1.1 412 "));
}

TEST(Representation, TellsWhichCodingsAreTaken) {
  EXPECT_TRUE(accepts_encoding("gzip, deflate, br", "br"));
  EXPECT_TRUE(accepts_encoding("GZIP;q=0.5", "gzip"));
  EXPECT_TRUE(accepts_encoding("*", "gzip"));
  EXPECT_TRUE(accepts_encoding("*;q=0, gzip", "gzip"));
  EXPECT_FALSE(accepts_encoding("", "gzip"));
  EXPECT_FALSE(accepts_encoding("deflate", "gzip"));
  EXPECT_FALSE(accepts_encoding("gzip;q=0", "gzip"));
  EXPECT_FALSE(accepts_encoding("*, gzip; q=0.000", "gzip"));
  EXPECT_FALSE(accepts_encoding("brotli", "br"));
}

}  // namespace
}  // namespace sse::net
