#include <string>

#include "base/ids.h"
#include "delivery/history.h"
#include "event/event.h"
#include "fuzz/fuzz.h"
#include "observe/metrics.h"

namespace {

using namespace sse;

constexpr std::uint64_t kLast = 1000;

delivery::History& history() {
  static observe::Registry metrics;
  static delivery::History& kept = *[] {
    delivery::HistoryOptions options;
    options.events = 5;
    auto* made = new delivery::History(options, MessageId(10), metrics, ServiceName("fuzz"));
    for (std::uint64_t id = 100; id < kLast; id += 100) {
      event::Event event;
      event.data = "d";
      event.id = std::to_string(id);
      made->keep({event::TargetKind::kAll, {}, false}, "message", MessageId(id),
                 event::Frame::make(event::encode(event), MessageId(id)), SteadyTime{});
    }
    return made;
  }();
  return kept;
}

}  // namespace

// For any last event id of a client, the history returns ascending events after it or reports a gap, and no text of the
// client appears where it would be parsed as something else.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using fuzz::expect;
  delivery::History::Client client;
  client.connection = ConnectionId(kLast);
  client.last_event_id.assign(reinterpret_cast<const char*>(data), size);
  client.topics = {{event::TargetKind::kAll, ""}};
  client.listens = [](std::string_view) { return true; };
  const hub::Resumption resumption = history().resume(client, SteadyTime{});
  std::uint64_t last = 0;
  for (const auto& missed : resumption.missed) {
    expect(missed.position.value() > last);
    last = missed.position.value();
  }
  for (const char c : resumption.cursor) expect(c > ' ' && c <= '~');
  if (const auto requested = parse_id(client.last_event_id); requested && !resumption.missed.empty())
    expect(*requested >= kLast || resumption.missed.front().position.value() > *requested);
  expect(resumption.notice.find("\n\n") == std::string::npos || resumption.notice.ends_with("\n\n"));
  return 0;
}
