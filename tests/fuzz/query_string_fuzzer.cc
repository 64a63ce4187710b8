#include <map>
#include <string>

#include "base/url.h"
#include "fuzz/fuzz.h"
#include "hub/attributes.h"

// A form-encoded string: both parsers give the same result, and encoded text decodes to itself.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sse;
  using fuzz::expect;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  expect(url_decode(url_encode(text)) == text);
  expect(url_decode(text).size() <= size);
  const std::map<std::string, std::string> values = form_values(text);
  for (const auto& [name, value] : values) {
    if (!name.empty()) expect(form_value(text, name) == value);
  }
  hub::Attributes attributes;
  attributes.query = text;
  attributes.address = text.substr(0, size / 2);
  attributes.origin = text.substr(size / 2);
  const hub::Attributes back = hub::unpack_attributes(hub::pack(attributes));
  expect(back.query == attributes.query && back.address == attributes.address && back.origin == attributes.origin);
  // unpack() must accept any text that a store returns.
  hub::unpack_attributes(text);
  return 0;
}
