#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "event/event.h"
#include "fuzz/fuzz.h"
#include "support/event_parser.h"

namespace {

std::string breaks_as_lf(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i, 2) == "\r\n") continue;
    out += text[i] == '\r' ? '\n' : text[i];
  }
  return out;
}

}  // namespace

// An event that passes validate() is read by a strict parser as exactly one event with the same name, id and data.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sse::event;
  using sse::testing::ReceivedEvent;
  // Input: the sizes of name and id, the name, the id, the data.
  sse::fuzz::Input input(data, size);
  const std::size_t name = input.byte();
  const std::size_t id = input.byte();
  const std::string_view rest = input.rest();
  Event event;
  event.name = rest.substr(0, name);
  event.id = rest.substr(std::min(name, rest.size()), id);
  event.data = rest.substr(std::min(name + id, rest.size()));
  try {
    validate(event);
  } catch (const sse::Error&) {
    return 0;
  }
  const ReceivedEvent expected{event.name.empty() ? "message" : event.name, breaks_as_lf(event.data), event.id};
  if (sse::testing::parse_events(encode(event)) != std::vector<ReceivedEvent>{expected}) std::abort();
  return 0;
}
