#include <string>
#include <vector>

#include "api/stream_parser.h"
#include "fuzz/fuzz.h"

namespace {

std::vector<std::string> read(std::string_view bytes, std::size_t piece) {
  sse::api::StreamParser parser;
  std::vector<std::string> events;
  const auto take = [&](sse::api::StreamEvent&& event) {
    events.push_back(event.name + '\0' + event.id + '\0' + event.data);
  };
  for (std::size_t at = 0; at < bytes.size(); at += piece) parser.feed(bytes.substr(at, piece), take);
  events.push_back(parser.last_event_id());
  if (parser.retry()) events.push_back(std::to_string(parser.retry()->count()));
  return events;
}

}  // namespace

// The events of a stream do not depend on how its bytes are split.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sse::fuzz::Input input(data, size);
  const std::size_t piece = std::size_t{input.byte()} % 16 + 1;
  sse::fuzz::expect(read(input.rest(), piece) == read(input.rest(), std::max<std::size_t>(size, 1)));
  return 0;
}
