#include "net/multipart.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "support/errors.h"

namespace sse::net {
namespace {

struct Read {
  MultipartPart part;
  std::string data;
};

class Collector final : public MultipartParser::Sink {
 public:
  void part(const MultipartPart& part) override { parts.push_back({part, ""}); }
  void data(std::string_view bytes) override {
    EXPECT_FALSE(bytes.empty());
    parts.back().data.append(bytes);
  }

  std::vector<Read> parts;
};

// Fed in pieces of so many bytes.
std::vector<Read> read(const std::string& body, std::size_t piece, const std::string& boundary = "b") {
  Collector sink;
  MultipartParser parser(boundary, sink);
  for (std::size_t at = 0; at < body.size(); at += piece) parser.feed(std::string_view(body).substr(at, piece));
  parser.finish();
  return std::move(sink.parts);
}

ErrorCode refusal(const std::string& body, std::size_t piece) {
  return testing::error_of([&] { read(body, piece); }).code();
}

constexpr const char* kField = "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n";

TEST(MultipartBoundaryTest, IsTakenFromFormDataOnly) {
  EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=abc"), "abc");
  EXPECT_EQ(multipart_boundary("Multipart/Form-Data ; charset=utf-8; BOUNDARY=\"a b'c\""), "a b'c");
  EXPECT_EQ(multipart_boundary("multipart/mixed; boundary=abc"), std::nullopt);
  EXPECT_EQ(multipart_boundary("multipart/form-data"), std::nullopt);
  EXPECT_EQ(multipart_boundary("multipart/form-data; boundary="), std::nullopt);
  EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=\"a\rb\""), std::nullopt);
  EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=\"ends with a blank \""), std::nullopt);
  EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=" + std::string(70, 'a')), std::string(70, 'a'));
  EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=" + std::string(71, 'a')), std::nullopt);
}

TEST(MultipartBoundaryTest, AnyMultipartTypeIsKeptFromHttplib) {
  EXPECT_TRUE(is_multipart("multipart/form-data"));
  EXPECT_TRUE(is_multipart(" \tMULTIPART/mixed; x"));
  EXPECT_FALSE(is_multipart("application/json"));
  EXPECT_FALSE(is_multipart("multi"));
  EXPECT_FALSE(is_multipart(""));
}

TEST(MultipartParserTest, ReadsFieldsAndFilesHoweverTheyArrive) {
  const std::string body =
      "a preamble to be ignored\r\n--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nan \r\n--c\r\n- end\r\n"
      "--b \t\r\ncontent-disposition: FORM-DATA; filename=\"a;\\\"b\\\".txt\"; name=file\r\nX-Other: 1\r\n"
      "Content-Type: text/plain; charset=utf-8\r\n\r\n\r\n\r--\r\n\r\n"
      "--b\r\nContent-Disposition: form-data; name=\"empty\"; filename=\"\"\r\n\r\n\r\n--b--\r\nthe epilogue --b\r\n";
  for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}, body.size()}) {
    const std::vector<Read> parts = read(body, piece);
    ASSERT_EQ(parts.size(), 3U) << piece;
    EXPECT_EQ(parts[0].part.name, "text");
    EXPECT_FALSE(parts[0].part.is_file);
    EXPECT_EQ(parts[0].data, "an \r\n--c\r\n- end");
    EXPECT_EQ(parts[1].part.name, "file");
    EXPECT_EQ(parts[1].part.filename, "a;\"b\".txt");
    EXPECT_EQ(parts[1].part.content_type, "text/plain; charset=utf-8");
    EXPECT_TRUE(parts[1].part.is_file);
    EXPECT_EQ(parts[1].data, "\r\n\r--\r\n");
    EXPECT_TRUE(parts[2].part.is_file);
    EXPECT_EQ(parts[2].data, "");
  }
}

TEST(MultipartParserTest, LeavesTheBackslashesOfWindowsAloneAndReadsExtendedNames) {
  const auto part_of = [](const std::string& disposition) {
    return read("--b\r\nContent-Disposition: form-data; name=f; " + disposition + "\r\n\r\n\r\n--b--", 1000).at(0).part;
  };
  EXPECT_EQ(part_of("filename=\"C:\\new\\file.txt\"").filename, "C:\\new\\file.txt");
  EXPECT_EQ(part_of("filename=\"x\"; filename*=UTF-8''%e2%82%ac+1").filename, "\xe2\x82\xac+1");
  EXPECT_EQ(part_of("filename=x; filename*=latin1''%80").filename, "x");
  EXPECT_TRUE(part_of("filename*=utf-8'en'a").is_file);
}

TEST(MultipartParserTest, RefusesWhatIsMalformed) {
  const std::string whole = std::string(kField) + "1\r\n--b--";
  for (std::size_t cut = 0; cut < whole.size(); ++cut)
    EXPECT_EQ(refusal(whole.substr(0, cut), 5), ErrorCode::kInvalidArgument) << cut;
  for (const char* head : {"", "Content-Disposition: form-data\r\n", "Content-Disposition: attachment; name=a\r\n",
                           "X: name=a\r\n", ": x\r\n", "no colon\r\n", "Content-Disposition: form-data; name\r\n",
                           "Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n"}) {
    EXPECT_EQ(refusal("--b\r\n" + std::string(head) + "\r\n1\r\n--b--", 1000), ErrorCode::kInvalidArgument) << head;
  }
  EXPECT_EQ(refusal("--bx\r\n", 1000), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal("--b" + std::string(1000, ' '), 10), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal(std::string(100'000, '-'), 4096), ErrorCode::kInvalidArgument);
}

TEST(MultipartParserTest, BoundsPartsAndTheirHeads) {
  std::string many;
  for (int i = 0; i < 1001; ++i) many += std::string(kField) + "1\r\n";
  EXPECT_EQ(refusal(many + "--b--", 4096), ErrorCode::kTooLarge);
  const auto with_head = [](std::size_t bytes) {
    const std::string start = "Content-Disposition: form-data; name=a; filename=";
    return "--b\r\n" + start + std::string(bytes - start.size() - 4, 'n') + "\r\n\r\n1\r\n--b--";
  };
  for (const std::size_t piece : {1U, 100U, 5000U}) {
    EXPECT_EQ(read(with_head(1024), piece).size(), 1U);
    EXPECT_EQ(refusal(with_head(1025), piece), ErrorCode::kTooLarge);
  }
}

// Twenty of these kept cpp-httplib's std::regex busy for half a minute.
TEST(MultipartParserTest, TakesTimeThatGrowsWithTheBodyAlone) {
  std::string evil = "--b\r\nContent-Disposition: form-data; name=\"x\"";
  while (evil.size() < 150'000) evil += "; filename=\"";
  EXPECT_EQ(refusal(evil, 150'000), ErrorCode::kTooLarge);

  // What looks most like a delimiter without being one.
  const std::string boundary(70, 'a');
  std::string almost = "--" + boundary + "\r\nContent-Disposition: form-data; name=x\r\n\r\n";
  while (almost.size() < std::size_t{8} * 1024 * 1024) almost += "\r\n--" + std::string(69, 'a');
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(read(almost + "\r\n--" + boundary + "--", 65'536, boundary).size(), 1U);
  // Milliseconds; hours where the cost is quadratic.
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(30));
}

TEST(ReadFormTest, ReadsBothKindsOfForm) {
  const std::map<std::string, std::string> expected{{"a", "1 2"}, {"b", ""}};
  EXPECT_EQ(read_form("application/x-www-form-urlencoded; charset=UTF-8", "a=1+2&b&a=3&"), expected);
  EXPECT_EQ(read_form("multipart/form-data; boundary=b",
                      "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1 2\r\n"
                      "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n3\r\n"
                      "--b\r\nContent-Disposition: form-data; name=b; filename=c\r\n\r\nfile\r\n--b--"),
            expected);
  EXPECT_TRUE(read_form("text/plain", "a=1").empty());
  EXPECT_THROW(read_form("multipart/form-data; boundary=b", "--b\r\n"), Error);
}

}  // namespace
}  // namespace sse::net
