#include <set>
#include <string>
#include <vector>

#include "base/text.h"
#include "base/units.h"
#include "ssectl/conformance/framing.h"
#include "ssectl/conformance/suite.h"

namespace sse::ctl {
namespace {

using std::chrono::milliseconds;

void comes_through(Suite& suite, const std::string& sent, const std::string& expected) {
  const auto stream = suite.open();
  suite.expect_event(*stream, sent, expected);
  if (const std::string error = framing_error(stream->state().body); !error.empty()) throw CaseFailed{error};
}
void comes_unchanged(Suite& suite, const std::string& data) {
  comes_through(suite, data, data);
}

void an_event_comes(Suite& suite) {
  suite.need_publisher();
  comes_unchanged(suite, suite.unique("plain"));
}

void lines_come(Suite& suite) {
  suite.need_publisher();
  const std::string first = suite.unique("lines");
  comes_unchanged(suite, first + "\ntwo\n\nfour");
}

void other_line_ends_are_line_ends(Suite& suite) {
  suite.need_publisher();
  // The format cannot carry them as they are: a CR ends a line, too.
  const std::string first = suite.unique("ends");
  comes_through(suite, first + "\rtwo\r\nthree", first + "\ntwo\nthree");
}

void nothing_is_smuggled(Suite& suite) {
  suite.need_publisher();
  const std::string first = suite.unique("smuggled");
  comes_unchanged(suite, first + "\n\nevent: evil\ndata: evil\nid: 7\n:comment\nretry: 1");
}

void blanks_are_kept(Suite& suite) {
  suite.need_publisher();
  comes_unchanged(suite, " " + suite.unique("blank") + " ");
  comes_unchanged(suite, ":" + suite.unique("colon"));
}

void any_character_comes(Suite& suite) {
  suite.need_publisher();
  comes_unchanged(suite, suite.unique("utf8") + " \u00e9 \u4e2d\u6587 \U0001F600 \u2028 \ufeff \t \x7f");
}

void large_events_come(Suite& suite) {
  suite.need_publisher();
  std::string data = suite.unique("large") + ' ';
  while (data.size() < 60'000) data += "0123456789abcdef";
  comes_unchanged(suite, data);
}

void names_come(Suite& suite) {
  suite.need_publisher();
  if (!suite.names_events()) throw CaseSkipped{"needs a --publish command that uses $SSE_EVENT"};
  const auto stream = suite.open();
  const std::string data = suite.unique("named");
  if (!suite.publish(data, "conformance")) throw CaseFailed{"an event with a name was not accepted"};
  stream->wait_for_data(data, suite.options().timeout);
  for (const api::ProbeEvent& one : stream->state().events) {
    if (one.event.data != data) continue;
    if (one.event.name != "conformance") throw CaseFailed{"its name is '" + printable(one.event.name, 40) + "'"};
    return;
  }
  throw CaseFailed{"it did not come"};
}

void names_are_one_line(Suite& suite) {
  suite.need_publisher();
  if (!suite.names_events()) throw CaseSkipped{"needs a --publish command that uses $SSE_EVENT"};
  const auto stream = suite.open();
  const std::string data = suite.unique("name-of-two-lines");
  if (!suite.publish(data, "a\ndata: evil")) return;
  const std::string after = suite.unique("after");
  suite.expect_event(*stream, after, after);
  for (const api::ProbeEvent& one : stream->state().events) {
    if (one.event.data.find("evil") != std::string::npos) throw CaseFailed{"a line break in the name makes a field"};
  }
}

// The events of a stream whose data begins so, in their order.
std::vector<api::StreamEvent> events_of(const api::StreamProbe& stream, const std::string& prefix) {
  std::vector<api::StreamEvent> found;
  stream.inspect([&](const api::ProbeState& state) {
    for (const api::ProbeEvent& one : state.events) {
      if (one.event.data.starts_with(prefix)) found.push_back(one.event);
    }
  });
  return found;
}

void order_is_kept(Suite& suite) {
  suite.need_publisher();
  constexpr std::size_t kEvents = 50;
  const auto stream = suite.open();
  const std::string prefix = suite.unique("ordered") + '/';
  for (std::size_t i = 0; i < kEvents; ++i) {
    if (!suite.publish(prefix + std::to_string(i)))
      throw CaseFailed{"event " + std::to_string(i) + " was not accepted"};
  }
  stream->wait_for_data(prefix + std::to_string(kEvents - 1), suite.options().timeout);
  const auto came = events_of(*stream, prefix);
  for (std::size_t i = 0; i < came.size(); ++i) {
    if (came[i].data != prefix + std::to_string(i))
      throw CaseFailed{"event " + std::to_string(i) + " is " + printable(came[i].data, 80)};
  }
  if (came.size() != kEvents)
    throw CaseFailed{std::to_string(came.size()) + " of " + std::to_string(kEvents) + " came"};
}

// Publishes three events and returns them as they came.
std::vector<api::StreamEvent> three_events(Suite& suite) {
  suite.need_publisher();
  const auto stream = suite.open();
  std::vector<api::StreamEvent> events;
  for (const char* const name : {"first", "second", "third"}) {
    const std::string data = suite.unique(name);
    events.push_back(suite.expect_event(*stream, data, data));
  }
  if (events.back().id.empty()) throw CaseSkipped{"its events have no id"};
  return events;
}

void ids_are_unique(Suite& suite) {
  std::set<std::string> ids;
  for (const api::StreamEvent& event : three_events(suite)) {
    if (!ids.insert(event.id).second) throw CaseFailed{"two events have the id '" + printable(event.id, 80) + "'"};
  }
}

void resumes_after_an_event(Suite& suite) {
  const auto events = three_events(suite);
  const auto stream = suite.open({{"Last-Event-ID", events[0].id}});
  stream->wait_for_data(events[2].data, suite.options().timeout);
  std::string came;
  for (const api::ProbeEvent& one : stream->state().events) {
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (one.event.data == events[i].data) came += std::to_string(i + 1);
    }
  }
  if (came == "23") return;
  throw CaseFailed{"after the first of three events came " + (came.empty() ? "none of them" : "number " + came) +
                   ", not the second and the third (does the server keep a history?)"};
}

void resumes_after_the_last_event(Suite& suite) {
  const auto events = three_events(suite);
  const auto stream = suite.open({{"Last-Event-ID", events[2].id}});
  const std::string data = suite.unique("next");
  suite.expect_event(*stream, data, data);
  for (const api::StreamEvent& event : events) {
    if (!events_of(*stream, event.data).empty()) throw CaseFailed{"an event came again that the client had seen"};
  }
}

constexpr Case kCases[] = {
    {"events", "an event comes", "WHATWG HTML 9.2.6", an_event_comes},
    {"events", "several lines come as several lines", "WHATWG HTML 9.2.6", lines_come},
    {"events", "CR and CRLF end lines, as in the format", "WHATWG HTML 9.2.5", other_line_ends_are_line_ends},
    {"events", "data makes no fields and no events of its own", "WHATWG HTML 9.2.6", nothing_is_smuggled},
    {"events", "a blank or a colon at the beginning is kept", "WHATWG HTML 9.2.6", blanks_are_kept},
    {"events", "any character comes", "WHATWG HTML 9.2.5", any_character_comes},
    {"events", "60 kB come unchanged", "", large_events_come},
    {"events", "names come", "WHATWG HTML 9.2.6", names_come},
    {"events", "a name has one line", "WHATWG HTML 9.2.6", names_are_one_line},
    {"events", "come in the order in which they were published", "", order_is_kept},
    {"resume", "each event has an id of its own", "WHATWG HTML 9.2.6", ids_are_unique},
    {"resume", "a client gets what it missed, once and in order", "WHATWG HTML 9.2.4", resumes_after_an_event},
    {"resume", "a client that missed nothing gets nothing again", "WHATWG HTML 9.2.4", resumes_after_the_last_event},
};

}  // namespace

std::span<const Case> event_cases() {
  return kCases;
}

}  // namespace sse::ctl
