#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "base/text.h"
#include "event/json.h"

namespace {

void expect(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

// Any text is either refused with one printable sentence, or parses to a target that survives a round trip.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sse::event;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const Json json = parse_json(text, "the body");
    expect(!dump_json(json).empty());
    id_field(json, "id");
    const Target target = target_from_json(json);
    for (const std::string& name : target.names) expect(!name.empty() && sse::is_valid_utf8(name));
    const Target back = target_from_json(parse_json(dump_json(to_json(target)), "the target"));
    expect(back.kind == target.kind && back.names == target.names && back.listening == target.listening);
  } catch (const sse::Error& error) {
    expect(error.code() == sse::ErrorCode::kInvalidArgument);
    expect(sse::printable(error.what(), 10000) == error.what());
  }
  return 0;
}
