#include <memory>
#include <string>
#include <vector>

#include "base/units.h"
#include "ssectl/conformance/framing.h"
#include "ssectl/conformance/suite.h"

namespace sse::ctl {
namespace {

using std::chrono::milliseconds;

// Heartbeats are expected at least as often as this.
constexpr milliseconds kMaxSilence{20'000};

void all_streams_get_an_event(Suite& suite) {
  suite.need_publisher();
  std::vector<std::unique_ptr<api::StreamProbe>> streams;
  for (int i = 0; i < 20; ++i) streams.push_back(suite.open());
  const std::string data = suite.unique("for-all");
  suite.expect_event(*streams.front(), data, data);
  std::size_t missing = 0;
  for (const auto& stream : streams) missing += stream->wait_for_data(data, suite.options().timeout) ? 0 : 1;
  if (missing > 0) throw CaseFailed{std::to_string(missing) + " of 20 streams did not get it"};
}

void a_stuck_reader_delays_nobody(Suite& suite) {
  suite.need_publisher();
  RawConnection stuck = suite.raw();
  stuck.send(suite.raw_request() + "\r\n");
  stuck.read_until("\r\n\r\n", suite.options().timeout);
  const auto stream = suite.open();
  // More than the buffers of a connection.
  const std::string filling(48'000, 'x');
  for (int i = 0; i < 150; ++i) {
    const SteadyTime begun = steady_now();
    const std::string data = suite.unique("stuck") + filling;
    suite.expect_event(*stream, data, data);
    if (steady_now() - begun > milliseconds(5000))
      throw CaseFailed{"with a reader that is stuck, event " + std::to_string(i) + " took " +
                       format_age(std::chrono::duration_cast<milliseconds>(steady_now() - begun))};
  }
}

void idle_streams_get_heartbeats(Suite& suite) {
  // The last event: those that are still on their way would look like heartbeats.
  if (suite.publishes()) {
    const std::string last = suite.unique("last");
    suite.expect_event(suite.quiet(), last, last);
  }
  const std::uint64_t before = suite.quiet().state().bytes;
  const milliseconds watch = suite.options().watch;
  if (suite.quiet().wait(watch, [&](const api::ProbeState& state) { return state.bytes > before; })) return;
  if (suite.quiet().state().ended) throw CaseFailed{"the stream ended: " + suite.quiet().state().reason};
  if (watch < kMaxSilence)
    throw CaseSkipped{"none came within " + format_age(watch) + ", which proves nothing: a longer --for"};
  throw CaseFailed{"not a byte came for " + format_age(watch) +
                   ": a comment now and then keeps proxies from cutting it"};
}

void idle_streams_stay_open(Suite& suite) {
  const api::ProbeState state = suite.quiet().state();
  if (!state.ended) return;
  throw CaseFailed{"it ended after " +
                   format_age(std::chrono::duration_cast<milliseconds>(*state.ended - state.started)) + ": " +
                   state.reason};
}

void idle_streams_are_valid(Suite& suite) {
  if (const std::string error = framing_error(suite.quiet().state().body); !error.empty()) throw CaseFailed{error};
}

constexpr Case kCases[] = {
    {"streams", "20 streams get an event", "", all_streams_get_an_event},
    {"streams", "a reader that is stuck delays no other", "", a_stuck_reader_delays_nobody},
    {"streams", "an idle stream gets heartbeats", "WHATWG HTML 9.2.7", idle_streams_get_heartbeats},
    {"streams", "an idle stream stays open", "", idle_streams_stay_open},
    {"streams", "all that came on it is valid", "WHATWG HTML 9.2.5", idle_streams_are_valid},
};

}  // namespace

std::span<const Case> load_cases() {
  return kCases;
}

}  // namespace sse::ctl
