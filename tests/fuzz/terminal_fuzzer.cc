#include <string>

#include "base/text.h"
#include "fuzz/fuzz.h"
#include "ssectl/terminal/width.h"

// Printable text contains no control or bidi characters, and fitted text has at most the requested width.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using sse::fuzz::expect;
  sse::fuzz::Input input(data, size);
  const std::size_t limit = input.byte();
  const std::string shown = sse::printable(input.rest(), limit);
  expect(sse::is_valid_utf8(shown));
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const auto c = static_cast<unsigned char>(shown[i]);
    const auto next = static_cast<unsigned char>(i + 1 < shown.size() ? shown[i + 1] : '\0');
    expect(c >= ' ' && c != 0x7f);
    expect(c != 0xc2 || next >= 0xa0);  // C1
  }
  for (const char* bidi : {"\u202e", "\u2066", "\u200f", "\u2028"}) expect(shown.find(bidi) == std::string::npos);
  expect(sse::printable(shown, 100'000) == shown);
  expect(sse::ctl::display_width(sse::ctl::fit(shown, limit)) <= limit);
  return 0;
}
