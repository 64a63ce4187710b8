#include "net/request_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "base/text.h"

namespace sse::net {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Status = HeadScan::Status;
using namespace std::string_literals;

HeadScan scan(std::string_view text) {
  std::size_t scanned = 0;
  return scan_head(text, scanned);
}

// As scan(), but the bytes arrive one by one; stops at the first verdict.
HeadScan scan_slowly(std::string_view text) {
  std::size_t scanned = 0;
  HeadScan result;
  for (std::size_t n = 1; n <= text.size() && result.status == Status::kIncomplete; ++n) {
    result = scan_head(text.substr(0, n), scanned);
  }
  return result;
}

std::string get_with(const std::string& headers) {
  return "GET / HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n";
}

struct Case {
  std::string name;
  std::string text;
  int status = 0;  // 0: a good head
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

std::string name_of(const ::testing::TestParamInfo<Case>& info) {
  return info.param.name;
}

class RequestHeads : public ::testing::TestWithParam<Case> {};

TEST_P(RequestHeads, AreJudgedAlikeHoweverTheyArrive) {
  const Case& c = GetParam();
  for (const HeadScan& result : {scan(c.text), scan_slowly(c.text)}) {
    if (c.status == 0) {
      EXPECT_EQ(result.status, Status::kComplete) << result.reason;
      EXPECT_EQ(result.head.size, c.text.size());
    } else {
      EXPECT_EQ(result.status, Status::kBad);
      EXPECT_EQ(result.http_status, c.status) << result.reason;
      EXPECT_THAT(result.reason, Not(::testing::StrEq("")));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Good, RequestHeads,
    ::testing::Values(Case{"Plain", get_with("")}, Case{"EmptyLineBefore", "\r\n" + get_with("")},
                      Case{"TwoEmptyLinesBefore", "\r\n\r\n" + get_with("")},
                      Case{"AbsoluteForm", "GET http://h/a?b HTTP/1.1\r\nHost: h\r\n\r\n"},
                      Case{"OptionsStar", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"},
                      Case{"Http10WithoutHost", "GET / HTTP/1.0\r\n\r\n"}, Case{"EmptyHeaderValue", get_with("X:\r\n")},
                      Case{"TabAroundValue", get_with("X:\t v \t\r\n")},
                      Case{"ObsoleteText", get_with("X: caf\xE9\r\n")},
                      Case{"Length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551615\r\n\r\n"},
                      Case{"Chunked", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"},
                      Case{"IdentityEncoding", "POST / HTTP/1.1\r\nHost: h\r\nContent-Encoding: identity\r\n\r\n"},
                      Case{"PathOf1024", "GET /" + std::string(1023, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n"},
                      Case{"HundredHeaders",
                           [] {
                             std::string all;
                             for (int i = 0; i < 99; ++i) all += "X: y\r\n";
                             return get_with(all);
                           }()}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    RequestLine, RequestHeads,
    ::testing::Values(Case{"ManyParameters", "GET /?" + std::string(500, '&') + " HTTP/1.1\r\nHost: h\r\n\r\n", 400},
                      Case{"TwoContentTypes", get_with("Content-Type: a/b\r\ncontent-type: multipart/form-data\r\n"),
                           400},
                      Case{"HostWithAPath", "GET / HTTP/1.1\r\nHost: h/x\r\n\r\n", 400},
                      Case{"HostWithABlank", "GET / HTTP/1.1\r\nHost: h x\r\n\r\n", 400},
                      Case{"LongHost", "GET / HTTP/1.1\r\nHost: " + std::string(301, 'h') + "\r\n\r\n", 400},
                      Case{"NotThreeWords", "GET /\r\nHost: h\r\n\r\n", 400},
                      Case{"OneWord", "GET\r\nHost: h\r\n\r\n", 400}, Case{"Empty", "\r\n\r\n\r\nHost: h\r\n\r\n", 400},
                      Case{"Http09", "GET /\r\n\r\n", 400},
                      Case{"SpaceInTarget", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
                      Case{"TabInTarget", "GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n", 400},
                      Case{"NulInTarget", "GET /a\0b HTTP/1.1\r\nHost: h\r\n\r\n"s, 400},
                      Case{"NulInMethod", "GE\0T / HTTP/1.1\r\nHost: h\r\n\r\n"s, 400},
                      Case{"NulFirst", "\0GET / HTTP/1.1\r\nHost: h\r\n\r\n"s, 400},
                      Case{"SpaceFirst", " GET / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
                      Case{"DoubleSpace", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
                      Case{"NoSlash", "GET a HTTP/1.1\r\nHost: h\r\n\r\n", 400},
                      Case{"StarForGet", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400},
                      Case{"AbsoluteFormWithoutPath", "GET http://h?x=/y HTTP/1.1\r\nHost: h\r\n\r\n", 400},
                      Case{"Version", "GET / HTTP/1.1x\r\nHost: h\r\n\r\n", 400},
                      Case{"LowerCaseVersion", "GET / http/1.1\r\nHost: h\r\n\r\n", 400},
                      Case{"Http12", "GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505},
                      Case{"Http20", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
                      Case{"Http2Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
                      Case{"TlsClientHello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s, 400},
                      Case{"UnknownMethod", "BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 501},
                      Case{"LowerCaseMethod", "get / HTTP/1.1\r\nHost: h\r\n\r\n", 501},
                      Case{"Connect", "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", 501},
                      Case{"Trace", "TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 501},
                      Case{"LongPath", "GET /" + std::string(1024, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n", 414},
                      Case{"LongTarget", "GET /?" + std::string(8191, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n", 414}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Headers, RequestHeads,
    ::testing::
        Values(
            Case{"BareLfAfterRequestLine", "GET / HTTP/1.1\nHost: h\r\n\r\n", 400},
            Case{"BareLfAfterHeader", "GET / HTTP/1.1\r\nHost: h\n\r\n", 400},
            Case{"BareLfAtTheEnd", "GET / HTTP/1.1\r\nHost: h\r\n\n", 400}, Case{"OnlyLf", "\n", 400},
            Case{"BareCrInValue", get_with("X: a\rb\r\n"), 400}, Case{"BareCrInName", get_with("X\rY: a\r\n"), 400},
            Case{"BareCrInRequestLine", "GET /\r HTTP/1.1\r\nHost: h\r\n\r\n", 400},
            Case{"CrCrLf", get_with("X: a\r\r\n"), 400}, Case{"Fold", get_with("X: a\r\n b\r\n"), 400},
            Case{"FoldWithTab", get_with("X: a\r\n\tb\r\n"), 400},
            Case{"FoldBeforeFirst", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400},
            Case{"SpaceBeforeColon", get_with("X : a\r\n"), 400}, Case{"NoColon", get_with("X\r\n"), 400},
            Case{"NoName", get_with(": a\r\n"), 400}, Case{"NulInName", get_with("X\0Y: a\r\n"s), 400},
            Case{"NulInValue", get_with("X: a\0b\r\n"s), 400}, Case{"ControlInValue", get_with("X: a\x01\r\n"), 400},
            Case{"DeleteInValue", get_with("X: a\x7f\r\n"), 400}, Case{"NoHost", "GET / HTTP/1.1\r\nX: y\r\n\r\n", 400},
            Case{"NoHeaderAtAll", "GET / HTTP/1.1\r\n\r\n", 400}, Case{"TwoHosts", get_with("host: h\r\n"), 400},
            Case{"TwoHostsOf10", "GET / HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n", 400},
            Case{"LengthWithChunked", get_with("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400},
            Case{"ChunkedWithLength", get_with("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"), 400},
            Case{"TwoLengths", get_with("Content-Length: 1\r\nContent-Length: 2\r\n"), 400},
            Case{"SameLengthTwice", get_with("Content-Length: 1\r\nContent-Length: 1\r\n"), 400},
            Case{"LengthList", get_with("Content-Length: 1, 1\r\n"), 400},
            Case{"NegativeLength", get_with("Content-Length: -5\r\n"), 400},
            Case{"PlusLength", get_with("Content-Length: +5\r\n"), 400},
            Case{"HexLength", get_with("Content-Length: 0x5\r\n"), 400},
            Case{"EmptyLength", get_with("Content-Length:\r\n"), 400},
            Case{"LengthOfTooManyDigits", get_with("Content-Length: 18446744073709551616\r\n"), 400},
            Case{"ChunkedTwice", get_with("Transfer-Encoding: chunked, chunked\r\n"), 501},
            Case{"ChunkedInTwoHeaders", get_with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 501},
            Case{"GzipChunked", get_with("Transfer-Encoding: gzip, chunked\r\n"), 501},
            Case{"EmptyTransferEncoding", get_with("Transfer-Encoding:\r\n"), 501},
            Case{"ChunkedOf10", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
            Case{"CompressedBody", get_with("Content-Encoding: gzip\r\n"), 415},
            Case{"UnknownExpectation", get_with("Expect: miracles\r\n"), 417},
            Case{"HeadOf17KiB",
                 get_with("A: " + std::string(7000, 'a') + "\r\nB: " + std::string(7000, 'a') +
                          "\r\nC: " + std::string(3408, 'a') + "\r\n"),
                 431},
            Case{"HeaderOf8000", get_with("X: " + std::string(8000, 'a') + "\r\n"), 431},
            Case{"EndlessLine", "GET /" + std::string(17 * 1024, 'a'), 431},
            Case{
                "TooManyHeaders",
                [] {
                  std::string all;
                  for (int i = 0; i < 100; ++i) all += "X: y\r\n";
                  return get_with(all);
                }(),
                431}),
    name_of);

TEST(RequestHead, IsIncompleteUntilItsBlankLine) {
  const std::string text = get_with("X: y\r\n");
  for (std::size_t n = 0; n < text.size(); ++n) {
    EXPECT_EQ(scan(text.substr(0, n)).status, Status::kIncomplete) << n;
  }
}

TEST(RequestHead, EndsWhereTheBodyBegins) {
  const std::string head = "POST /a?b=c HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n";
  const std::string text = head + "bodyGET / HTTP/1.1\r\n" + std::string(20 * 1024, 'x');
  const HeadScan result = scan(text);
  ASSERT_EQ(result.status, Status::kComplete);
  EXPECT_EQ(result.head.size, head.size());
  EXPECT_EQ(result.head.method, "POST");
  EXPECT_EQ(result.head.target, "/a?b=c");
  EXPECT_EQ(result.head.headers, "Host: h\r\nContent-Length: 4\r\n");
  EXPECT_EQ(result.head.framing, BodyFraming::kLength);
  EXPECT_EQ(result.head.content_length, 4U);
}

TEST(RequestHead, TakesTheOriginFormOutOfTheAbsoluteOne) {
  EXPECT_EQ(scan("GET http://h:80/a?b HTTP/1.1\r\nHost: h\r\n\r\n").head.target, "/a?b");
  EXPECT_EQ(scan("GET https://h HTTP/1.1\r\nHost: h\r\n\r\n").head.target, "/");
}

TEST(RequestHead, KeepsAliveAsTheVersionAndTheClientSay) {
  const auto keeps = [](const std::string& version, const std::string& connection) {
    return scan("GET / HTTP/" + version + "\r\nHost: h\r\n" + connection + "\r\n").head.keep_alive;
  };
  EXPECT_TRUE(keeps("1.1", ""));
  EXPECT_FALSE(keeps("1.1", "Connection: close\r\n"));
  EXPECT_FALSE(keeps("1.1", "connection: x, Close\r\n"));
  EXPECT_FALSE(keeps("1.0", ""));
  EXPECT_TRUE(keeps("1.0", "Connection: Keep-Alive\r\n"));
}

TEST(RequestHead, ExpectsContinueOnlyFrom11On) {
  EXPECT_TRUE(scan(get_with("Expect: 100-Continue\r\n")).head.expects_continue);
  EXPECT_FALSE(scan("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").head.expects_continue);
}

TEST(NormalizedRequest, DropsWhatWouldMakeHttplibDoSomethingOfItsOwn) {
  const std::string text =
      "POST /a HTTP/1.1\r\nHost: h\r\nX-Kept: yes\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n"
      "Connection: close\r\nKeep-Alive: 5\r\nRange: bytes=0-1\r\nIf-Range: x\r\nTE: trailers\r\n"
      "Accept-Encoding: gzip\r\nContent-Encoding: identity\r\nremote_addr: 6.6.6.6\r\nREMOTE_PORT: 6\r\n"
      "Local_Addr: 6\r\nLOCAL_PORT: 6\r\n\r\n";
  const HeadScan result = scan(text);
  ASSERT_EQ(result.status, Status::kComplete) << result.reason;
  EXPECT_EQ(normalized_request(result.head, "abc"),
            "POST /a HTTP/1.1\r\nHost: h\r\nX-Kept: yes\r\nContent-Length: 3\r\n\r\nabc");
}

TEST(NormalizedRequest, LeavesOutTheBodyOfAGetAndNamesTheLengthOfAnEmptyPost) {
  const std::string get = "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n";
  EXPECT_EQ(normalized_request(scan(get).head, "GET /x HTTP/1.1\r\n\r\n"), "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\n\r\n";
  EXPECT_EQ(normalized_request(scan(post).head, ""), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
}

TEST(NormalizedRequest, SpeaksTheVersionWhoseRulesTheFrontApplies) {
  const std::string text = "GET / HTTP/1.0\r\n\r\n";
  EXPECT_THAT(normalized_request(scan(text).head, ""), StartsWith("GET / HTTP/1.1\r\n"));
}

using Decoded = ChunkedDecoder::Status;

struct Chunks {
  Decoded status = Decoded::kIncomplete;
  std::string body;
  std::string rest;
};

// Feeds `text` in two pieces, cut at `cut`.
Chunks decode(const std::string& text, std::size_t cut, std::uint64_t limit = 1000) {
  ChunkedDecoder decoder(limit);
  Chunks out;
  std::string input = text.substr(0, cut);
  out.status = decoder.feed(input, out.body);
  if (out.status == Decoded::kIncomplete) {
    input += text.substr(cut);
    out.status = decoder.feed(input, out.body);
  } else {
    input += text.substr(cut);
  }
  out.rest = input;
  return out;
}

TEST(ChunkedDecoder, GivesTheSameBodyHoweverItIsSplit) {
  const std::string text =
      "5\r\nhello\r\n0006;name=value;q=\"x\"\r\n\r\nwor\n\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\nOther: " +
      std::string(240, 'y') + "\r\n\r\nNEXT";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const Chunks got = decode(text, cut);
    EXPECT_EQ(got.status, Decoded::kComplete) << cut;
    EXPECT_EQ(got.body, "hello\r\nwor\n0123456789") << cut;
    EXPECT_EQ(got.rest, "NEXT") << cut;
  }
}

TEST(ChunkedDecoder, TakesBytesOneByOne) {
  ChunkedDecoder decoder(1000);
  std::string body;
  std::string input;
  Decoded status = Decoded::kIncomplete;
  for (const char c : "3\r\nabc\r\n0\r\n\r\n"s) {
    ASSERT_EQ(status, Decoded::kIncomplete);
    input += c;
    status = decoder.feed(input, body);
  }
  EXPECT_EQ(status, Decoded::kComplete);
  EXPECT_EQ(body, "abc");
  EXPECT_EQ(input, "");
}

TEST(ChunkedDecoder, RefusesWhatIsMalformedHoweverItIsSplit) {
  for (const std::string& text : std::vector<std::string>{
           "x\r\n", "\r\n", "-1\r\n", "+1\r\na\r\n", "0x1\r\na\r\n", " 1\r\na\r\n", "1 1\r\na\r\n", "1\na\r\n",
           "1\r\nab\r\n", "1\r\na\n", "1\r\na0\r\n\r\n", ";x\r\n", "1;a\rb\r\na\r\n0\r\n\r\n", "10000000000000000\r\n",
           "fffffffffffffffff\r\n", "1;" + std::string(300, 'x') + "\r\na\r\n0\r\n\r\n",
           "0\r\nTrailer: " + std::string(300, 'y') + "\r\n\r\n", "0\r\nbroken\n\r\n"}) {
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      EXPECT_EQ(decode(text, cut).status, Decoded::kBad) << text << " cut at " << cut;
    }
  }
}

TEST(ChunkedDecoder, RefusesEndlessTrailers) {
  std::string text = "0\r\n";
  for (int i = 0; i < 100; ++i) text += "T: " + std::string(60, 'x') + "\r\n";
  EXPECT_EQ(decode(text, 0).status, Decoded::kBad);
  EXPECT_EQ(decode(text, 3000).status, Decoded::kBad);
}

TEST(ChunkedDecoder, RefusesMoreThanTheLimitBeforeItArrives) {
  EXPECT_EQ(decode("a\r\n0123456789\r\n0\r\n\r\n", 0, 10).status, Decoded::kComplete);
  EXPECT_EQ(decode("b\r\n", 0, 10).status, Decoded::kTooLarge);
  EXPECT_EQ(decode("6\r\n012345\r\n5\r\n", 0, 10).status, Decoded::kTooLarge);
  EXPECT_EQ(decode("1\r\n0\r\nffffffffffffffff\r\n", 0, 10).status, Decoded::kTooLarge);
}

TEST(RequestHead, RefusesADoubledFieldThatSaysWhoAsks) {
  for (const std::string name : {"Authorization", "X-Sse-User", "X-Sse-Tenant", "X-Sse-Token", "X-Sse-Local", "Origin",
                                 "Content-Type", "Last-Event-ID", "Sec-Fetch-Site", "Proxy-Authorization"}) {
    const HeadScan doubled = scan(get_with(name + ": a\r\nX: y\r\n" + to_lower(name) + ": a\r\n"));
    EXPECT_EQ(doubled.status, Status::kBad) << name;
    EXPECT_EQ(doubled.http_status, 400);
    EXPECT_THAT(doubled.reason, HasSubstr("is repeated"));
    EXPECT_EQ(scan(get_with(name + ": a\r\n")).status, Status::kComplete) << name;
  }
  EXPECT_EQ(scan(get_with("Cookie: a\r\nCookie: b\r\nAccept: x\r\nAccept: y\r\n")).status, Status::kComplete);
}

TEST(RequestHead, JoinsFieldLinesThatAreLists) {
  const std::string text =
      get_with("X-Forwarded-For: 1.1.1.1\r\nCookie: a=1\r\nx-forwarded-for:  2.2.2.2, 3.3.3.3 \r\ncookie: b=2\r\n");
  const HeadScan result = scan(text);
  ASSERT_EQ(result.status, Status::kComplete);
  EXPECT_EQ(joined_header(result.head, "X-Forwarded-For"), "1.1.1.1, 2.2.2.2, 3.3.3.3");
  EXPECT_EQ(joined_header(result.head, "Cookie"), "a=1; b=2");
  EXPECT_EQ(joined_header(result.head, "Forwarded"), "");
  std::vector<std::string> fields;
  for_each_header(normalized_request(result.head, ""), [&](std::string_view name, std::string&& value) {
    fields.push_back(std::string(name) + "=" + value);
  });
  EXPECT_THAT(fields, ::testing::ElementsAre("Host=h", "X-Forwarded-For=1.1.1.1, 2.2.2.2, 3.3.3.3", "Cookie=a=1; b=2"));
}

}  // namespace
}  // namespace sse::net
