#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/multipart.h"

namespace {

using sse::net::MultipartParser;
using sse::net::MultipartPart;

void expect(bool condition) {
  if (!condition) std::abort();
}

class Recorder final : public MultipartParser::Sink {
 public:
  void part(const MultipartPart& part) override {
    expect(part.name.size() + part.filename.size() + part.content_type.size() <= 1024);
    seen += "\npart " + part.name + '\1' + part.filename + '\1' + part.content_type + (part.is_file ? "\1file" : "\1") +
            ":";
  }
  void data(std::string_view bytes) override {
    expect(!bytes.empty());
    content += bytes.size();
    seen.append(bytes);
  }

  std::string seen;
  std::size_t content = 0;
};

// The result of parsing: the parts, or the error.
std::string verdict(std::string_view body, std::size_t piece) {
  Recorder sink;
  MultipartParser parser("b", sink);
  try {
    for (std::size_t at = 0; at < body.size(); at += piece) parser.feed(body.substr(at, piece));
    parser.finish();
  } catch (const sse::Error& e) {
    expect(e.code() == sse::ErrorCode::kInvalidArgument || e.code() == sse::ErrorCode::kTooLarge);
    return "refused";
  }
  expect(sink.content <= body.size());
  return sink.seen;
}

}  // namespace

// The result does not depend on how the body is split into pieces. The first byte selects the size of the pieces; the
// rest is also parsed as a Content-Type.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  expect(verdict(text, std::max<std::size_t>(text.size(), 1)) == verdict(text, data[0] % 64U + 1U));
  if (const auto boundary = sse::net::multipart_boundary(text)) expect(!boundary->empty() && boundary->size() <= 70);
  return 0;
}
