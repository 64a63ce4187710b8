#include "ssectl/conformance/suite.h"

#include <algorithm>
#include <optional>
#include <random>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "ssectl/terminal/cells.h"

namespace sse::ctl {
namespace {

constexpr std::size_t kShown = 60;

std::string shown(const std::string& data) {
  return data.size() <= kShown
             ? "'" + printable(data, 4 * kShown) + "'"
             : "'" + printable(data.substr(0, kShown), 4 * kShown) + "…' (" + human_size(data.size()) + ")";
}

struct Outcome {
  std::string_view result;
  std::string detail;
};

Outcome try_case(const Case& one, Suite& suite) {
  try {
    one.run(suite);
    return {"passed", ""};
  } catch (const CaseFailed& failed) {
    return {"failed", failed.why};
  } catch (const CaseSkipped& skipped) {
    return {"skipped", skipped.why};
  } catch (const Error& e) {
    return {"failed", e.what()};
  }
}

std::size_t count_of(const event::Json& cases, std::string_view result) {
  return static_cast<std::size_t>(
      std::ranges::count_if(cases, [&](const event::Json& one) { return text_cell(one, "result") == result; }));
}

std::string line_of(const event::Json& one, const TableStyle& style) {
  const std::string result = text_cell(one, "result");
  const bool failed = result == "failed";
  std::string mark = failed ? "FAIL  " : result == "passed" ? "ok    " : "skip  ";
  if (style.colour) mark = (failed ? "\033[1;31m" : result == "passed" ? "\033[32m" : "") + mark + "\033[0m";
  std::string line = "  " + mark + text_cell(one, "case");
  const std::string source = text_cell(one, "source");
  const std::string detail = text_cell(one, "detail");
  if (failed && !source.empty()) line += " (" + source + ")";
  line += '\n';
  if (!detail.empty()) line += "        " + printable(detail, 2000) + '\n';
  return line;
}

}  // namespace

Suite::Suite(Options options, OwnServer* server, Publisher* publisher)
    : options_(std::move(options)), server_(server), publisher_(publisher) {
  quiet_ = request("GET");
  const bool answered = quiet_->wait_for_head(options_.timeout);
  const api::ProbeState state = quiet_->state();
  if (answered && state.head->status == 200) return;
  throw Error(ErrorCode::kUnavailable, "no stream opens at " + options_.url.text() + ": " +
                                           (state.head ? "it answers with status " + std::to_string(state.head->status)
                                            : state.ended ? state.reason
                                                          : "no answer within " + format_age(options_.timeout)) +
                                           "; give the address of a stream, for sse-server that of its connect");
}

std::string Suite::query() {
  return server_ == nullptr ? "" : server_->stream_query(std::to_string(++streams_));
}

std::unique_ptr<api::StreamProbe> Suite::request(std::string_view method,
                                                 std::vector<std::pair<std::string, std::string>> headers) {
  api::ProbeRequest request = options_.request(method, query());
  std::ranges::move(headers, std::back_inserter(request.headers));
  request.keep_body = true;
  return std::make_unique<api::StreamProbe>(std::move(request));
}

std::unique_ptr<api::StreamProbe> Suite::open(std::vector<std::pair<std::string, std::string>> headers) {
  auto stream = request("GET", std::move(headers));
  if (!stream->wait_for_head(options_.timeout)) {
    const api::ProbeState state = stream->state();
    throw CaseFailed{"a stream did not open: " +
                     (state.ended ? state.reason : "no head within " + format_age(options_.timeout))};
  }
  if (const int status = stream->state().head->status; status != 200)
    throw CaseFailed{"a stream did not open: status " + std::to_string(status)};
  return stream;
}

RawConnection Suite::raw() const {
  return {api::parse_address(options_.url.origin), options_.verify_certificate, options_.timeout};
}

std::string Suite::raw_request(std::string_view method, std::string_view version) {
  const std::size_t host = options_.url.origin.find("//") + 2;
  std::string text = std::string(method) + ' ' + options_.request(method, query()).target + ' ' + std::string(version) +
                     "\r\nHost: " + options_.url.origin.substr(host) + "\r\nAccept: text/event-stream\r\n";
  for (const auto& [name, value] : options_.headers) text += name + ": " + value + "\r\n";
  return text;
}

void Suite::expect_alive() {
  try {
    open();
  } catch (const CaseFailed& failed) {
    throw CaseFailed{"afterwards " + failed.why};
  }
}

void Suite::need_publisher() const {
  if (publisher_ == nullptr) throw CaseSkipped{"needs events: --publish, or --server for an sse-server"};
}

std::string Suite::unique(std::string_view name) {
  static const std::string run = std::to_string(std::random_device{}());
  return std::string(name) + '-' + run + '-' + std::to_string(++events_);
}

api::StreamEvent Suite::expect_event(api::StreamProbe& stream, const std::string& sent, const std::string& expected) {
  std::size_t before = 0;
  stream.inspect([&](const api::ProbeState& state) { before = state.events.size(); });
  if (!publish(sent)) throw CaseFailed{"the event " + shown(sent) + " was not accepted"};
  stream.wait_for_data(expected, options_.timeout);
  std::optional<api::StreamEvent> found;
  std::string instead;
  stream.inspect([&](const api::ProbeState& state) {
    const auto event = std::ranges::find(
        state.events, expected, [](const api::ProbeEvent& one) -> const std::string& { return one.event.data; });
    if (event != state.events.end()) {
      found = event->event;
    } else if (state.events.size() > before) {
      instead = ", but " + shown(state.events.back().event.data);
    } else if (state.ended) {
      instead = "; the stream ended: " + state.reason;
    }
  });
  if (found) return *std::move(found);
  throw CaseFailed{"the event " + shown(expected) + " did not come within " + format_age(options_.timeout) + instead};
}

event::Json run_cases(Suite& suite) {
  event::Json list = event::Json::array();
  for (const std::span<const Case> cases : {response_cases(), request_cases(), event_cases(), load_cases()}) {
    for (const Case& one : cases) {
      Outcome outcome = try_case(one, suite);
      list.push_back({{"group", one.group},
                      {"case", one.name},
                      {"source", one.source},
                      {"result", outcome.result},
                      {"detail", std::move(outcome.detail)}});
    }
  }
  event::Json report{{"url", suite.options().url.text()},
                     {"passed", count_of(list, "passed")},
                     {"failed", count_of(list, "failed")},
                     {"skipped", count_of(list, "skipped")}};
  report["cases"] = std::move(list);
  return report;
}

std::string describe_cases(const event::Json& report, const TableStyle& style) {
  std::string text;
  std::string group;
  for (const event::Json& one : report.at("cases")) {
    if (text_cell(one, "group") != group) {
      group = text_cell(one, "group");
      text += group + '\n';
    }
    text += line_of(one, style);
  }
  return text + text_cell(report, "passed") + " passed, " + text_cell(report, "failed") + " failed, " +
         text_cell(report, "skipped") + " skipped\n";
}

}  // namespace sse::ctl
