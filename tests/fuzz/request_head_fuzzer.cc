#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "net/request_head.h"

namespace {

using sse::net::ChunkedDecoder;
using sse::net::HeadScan;

void expect(bool condition) {
  if (!condition) std::abort();
}

// The result does not depend on how the bytes are split.
void check_head(std::string_view text) {
  using Status = HeadScan::Status;
  std::size_t scanned = 0;
  const HeadScan at_once = sse::net::scan_head(text, scanned);
  HeadScan slow;
  scanned = 0;
  std::size_t n = 0;
  while (n < text.size() && slow.status == Status::kIncomplete)
    slow = sse::net::scan_head(text.substr(0, ++n), scanned);
  expect(slow.status == at_once.status && slow.http_status == at_once.http_status);
  if (at_once.status == Status::kBad) expect(at_once.http_status >= 400 && *at_once.reason != '\0');
  if (at_once.status != Status::kComplete) return;
  expect(n == at_once.head.size);

  // The normalized request that is passed to httplib is valid for the same parser and ends at the same position.
  const std::string_view body = text.substr(at_once.head.size);
  const std::string normal = sse::net::normalized_request(at_once.head, body);
  scanned = 0;
  const HeadScan again = sse::net::scan_head(normal, scanned);
  const bool http_1_0 = text.substr(0, at_once.head.size).find(" HTTP/1.0\r\n") != std::string_view::npos;
  if (http_1_0 && again.status == Status::kBad) return;  // 1.0 needs no Host
  expect(again.status == Status::kComplete);
  expect(again.head.method == at_once.head.method && again.head.target == at_once.head.target);
  expect(again.head.framing != sse::net::BodyFraming::kChunked);
  expect(again.head.size + again.head.content_length == normal.size());
}

void check_chunks(std::string_view text, std::size_t cut) {
  constexpr std::uint64_t kLimit = 1000;
  const auto decode = [&](std::size_t at, std::string& body, std::string& rest) {
    ChunkedDecoder decoder(kLimit);
    rest = text.substr(0, at);
    auto status = decoder.feed(rest, body);
    rest += text.substr(at);
    if (status == ChunkedDecoder::Status::kIncomplete) status = decoder.feed(rest, body);
    return status;
  };
  std::string body;
  std::string rest;
  std::string split_body;
  std::string split_rest;
  const auto status = decode(text.size(), body, rest);
  expect(decode(std::min(cut, text.size()), split_body, split_rest) == status);
  expect(body.size() <= kLimit);
  if (status == ChunkedDecoder::Status::kComplete) expect(body == split_body && rest == split_rest);
}

}  // namespace

// The first byte selects where a chunked body is split; the rest is parsed as a request head and as a chunked body.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  check_head(text);
  check_chunks(text, data[0]);
  return 0;
}
