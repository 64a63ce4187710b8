#include "ssectl/doctor/examination.h"

#include <algorithm>

#include "api/address.h"
#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "ssectl/doctor/addresses.h"
#include "ssectl/doctor/advice.h"
#include "ssectl/doctor/first_look.h"
#include "ssectl/terminal/cells.h"

namespace sse::ctl {
namespace {

using std::chrono::milliseconds;

constexpr int kMaxRedirects = 5;
constexpr milliseconds kAtOnce{2'000};
constexpr milliseconds kBetweenSizes{500};
constexpr std::size_t kSmallEvent = 100;
constexpr std::size_t kLargestEvent = std::size_t{64} << 10;
constexpr milliseconds kMaxDelay{150};
constexpr milliseconds kMinLeaverLimit{20'000};
constexpr milliseconds kPoll{50};

milliseconds between(SteadyTime from, SteadyTime to) {
  return std::chrono::duration_cast<milliseconds>(to - from);
}

bool is_event_stream(const api::ProbeHead& head) {
  return head.status == 200 && to_lower(head.header("Content-Type")).starts_with("text/event-stream");
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::string event_data(std::string_view name, std::size_t size) {
  std::string data = "ssectl doctor: " + std::string(name) + ' ';
  data.resize(std::max(data.size(), size), '.');
  return data;
}

std::string last_words(const api::ProbeState& state) {
  return state.reason.empty() ? "no answer" : state.reason;
}

}  // namespace

Examination::Examination(const ExaminationOptions& options, OwnServer* server, Report& report)
    : options_(options), server_(server), report_(report) {}

void Examination::run() {
  check_tls(options_, report_);
  if (!open_first()) return;
  const api::ProbeHead head = *plain_->state().head;
  compressed_ = open("b", "gzip, deflate, br");
  quiet_ = open("c", "identity");
  check_head(head, server_ != nullptr, report_);
  check_clock(head, plain_->state().started, report_);
  check_origin(head);
  if (server_ != nullptr) check_server();
  check_buffering();
  check_compression();
  check_address();
  check_leaver();
  check_idle();
}

std::unique_ptr<api::StreamProbe> Examination::open(std::string_view name, std::string_view encodings,
                                                    std::string_view method) {
  const std::string query = server_ != nullptr && method == "GET" ? server_->stream_query(name) : "";
  api::ProbeRequest request = options_.request(method, query);
  request.headers.emplace_back("Cache-Control", "no-cache");
  request.headers.emplace_back("Accept-Encoding", encodings);
  request.headers.emplace_back("User-Agent", "ssectl-doctor");
  if (!options_.page_origin.empty()) request.headers.emplace_back("Origin", options_.page_origin);
  if (method == "OPTIONS") {
    // A fetch with a header that a page may not set without being asked for (WHATWG Fetch 4.8).
    request.headers.emplace_back("Access-Control-Request-Method", "GET");
    request.headers.emplace_back("Access-Control-Request-Headers", "authorization");
  }
  return std::make_unique<api::StreamProbe>(std::move(request));
}

bool Examination::open_first() {
  for (int redirects = 0;;) {
    plain_ = open("a", "identity");
    if (!plain_->wait_for_head(kAtOnce) && server_ != nullptr) {
      // It may be held back until more has come.
      check_server();
      if (server_ != nullptr && server_->find("a")) {
        measured_ = true;
        last_event_ = event_data("small", kSmallEvent);
        server_->send(last_event_);
        measure_buffer();
      }
    }
    const bool answered = plain_->wait_for_head(options_.timeout);
    const api::ProbeState state = plain_->state();
    if (!answered) {
      if (state.ended) {
        throw Error(ErrorCode::kUnavailable,
                    "cannot reach " + options_.url.origin + ": " + last_words(state) + "; is the address right?");
      }
      if (!measured_) {
        report_.add(
            "buffering", Verdict::kFinding,
            "nothing came within " + format_age(options_.timeout) +
                ", not even the head of the response: something holds it until the stream ends, or the server is "
                "stuck");
      }
      return false;
    }
    round_trip_ = between(state.started, state.head->at);
    if (is_redirect(state.head->status)) {
      if (!follow_redirect(*state.head, ++redirects)) return false;
      continue;
    }
    if (!is_event_stream(*state.head) && is_service()) continue;
    return is_stream(*state.head);
  }
}

bool Examination::is_service() {
  const int status = plain_->state().head->status;
  if ((status != 200 && status != 404) || options_.url.path.ends_with("/connect")) return false;
  const Url given = options_.url;
  while (options_.url.path.ends_with('/')) options_.url.path.pop_back();
  options_.url.path += "/connect";
  const auto probe = open("probe", "identity");
  probe->wait_for_head(options_.timeout);
  const api::ProbeState state = probe->state();
  // Without an answer it is held back.
  if (state.head ? state.head->status != 404 : !state.ended) return true;
  options_.url = given;
  return false;
}

bool Examination::follow_redirect(const api::ProbeHead& head, int count) {
  const std::string location = head.header("Location");
  if (location.empty() || count > kMaxRedirects) {
    report_.add("redirects", Verdict::kFinding,
                location.empty() ? "it answered with " + std::to_string(head.status) + " without a Location"
                                 : "more than " + std::to_string(kMaxRedirects) + " redirects, the last one to " +
                                       printable(location, 200));
    return false;
  }
  const Url target = resolve_location(options_.url, location);
  if (target.origin != options_.url.origin && !options_.headers.empty()) {
    report_.add("redirects", Verdict::kFinding,
                "it leads to " + printable(target.origin, 200) +
                    ", another site, which does not get the headers of --header; examine that address itself");
    return false;
  }
  try {
    api::parse_address(target.origin);
  } catch (const Error& e) {
    report_.add("redirects", Verdict::kFinding, std::string("it leads to no address: ") + e.what());
    return false;
  }
  const bool elsewhere = target.origin != options_.url.origin;
  options_.url = target;
  if (elsewhere) check_tls(options_, report_);
  report_.add("redirects", Verdict::kNote,
              "to " + printable(target.text(), 200) + ": each reconnect of a page takes one request more");
  return true;
}

bool Examination::is_stream(const api::ProbeHead& head) {
  if (const std::string_view proxy = proxy_of(head); !proxy.empty()) {
    report_.set_proxy(std::string(proxy));
    report_.add("proxy", Verdict::kOk, "the response names " + std::string(proxy));
  }
  if (is_event_stream(head)) {
    report_.add("response", Verdict::kOk,
                "an event stream from " + options_.url.text().substr(0, options_.url.text().find('?')));
    return true;
  }
  std::string what = "status " + std::to_string(head.status) + ", Content-Type " +
                     (head.header("Content-Type").empty() ? "missing" : printable(head.header("Content-Type"), 80));
  if (head.status == 401 || head.status == 403) {
    what += server_ == nullptr
                ? ": this client is not let in; give --header 'Authorization: Bearer …', or --server, for a ticket"
                : ": the ticket is refused; is the server of --server the one behind this address?";
  } else if (head.status == 200) {
    what += ": not an event stream, which has Content-Type text/event-stream; browsers close it for good";
  } else {
    what += ": not an event stream; a page with a native EventSource is closed for good by this";
  }
  report_.add("response", Verdict::kFinding, what);
  return false;
}

void Examination::check_origin(const api::ProbeHead& head) {
  const std::string& origin = options_.page_origin;
  if (origin.empty()) return unchecked("cors", "give the origin of a page of another site with --origin");
  const std::string allowed = head.header("Access-Control-Allow-Origin");
  if (allowed != "*" && allowed != origin) {
    return report_.add("cors", Verdict::kFinding,
                       "pages of " + printable(origin, 80) +
                           " may not read the stream: Access-Control-Allow-Origin is " +
                           (allowed.empty() ? "missing" : printable(allowed, 80)));
  }
  const auto preflight = open("preflight", "identity", "OPTIONS");
  preflight->wait_for_head(options_.timeout);
  const auto answer = preflight->state().head;
  const bool passed =
      answer && answer->status >= 200 && answer->status < 300 &&
      (answer->header("Access-Control-Allow-Origin") == "*" || answer->header("Access-Control-Allow-Origin") == origin);
  const bool with_cookies = to_lower(head.header("Access-Control-Allow-Credentials")) == "true";
  if (!passed) {
    return report_.add("cors", Verdict::kFinding,
                       "the stream may be read, but the preflight request (OPTIONS) is answered with " +
                           (answer ? std::to_string(answer->status) : "nothing") +
                           ": a page cannot send headers such as Authorization");
  }
  report_.add("cors", Verdict::kOk,
              "pages of " + printable(origin, 80) + " may read the stream, " + (with_cookies ? "with" : "without") +
                  " cookies");
}

void Examination::check_server() {
  const SteadyTime begun = steady_now();
  while (!server_->find("a")) {
    if (steady_now() - begun > kAtOnce) {
      server_ = nullptr;
      report_.add("server", Verdict::kNote,
                  "the stream is not one of the server of --server, so no events are sent through it");
      return;
    }
    Clock::system().sleep_for(kPoll);
  }
}

void Examination::check_buffering() {
  if (measured_) return;
  const api::ProbeState state = plain_->state();
  if (state.flooded) return unchecked("buffering", "it sent more than 16 MiB within a moment");
  if (server_ == nullptr) {
    return unchecked("buffering", state.first_byte ? "the first bytes came " +
                                                         format_age(between(state.head->at, *state.first_byte)) +
                                                         " after the head; give --server to send events through it"
                                                   : "nothing has come yet; give --server to send events through it");
  }
  last_event_ = event_data("small", kSmallEvent);
  const SteadyTime sent = steady_now();
  server_->send(last_event_);
  if (!plain_->wait_for_data(last_event_, kAtOnce)) return measure_buffer();
  passes_at_once_ = true;
  measure_delay(between(sent, steady_now()));
}

// The first event may have been late for another reason, so it sends two more.
void Examination::measure_delay(milliseconds first) {
  milliseconds least = first;
  for (const char* const name : {"second", "third"}) {
    last_event_ = event_data(name, kSmallEvent);
    const SteadyTime sent = steady_now();
    server_->send(last_event_);
    plain_->wait_for_data(last_event_, kAtOnce);
    least = std::min(least, between(sent, steady_now()));
  }
  report_.add("buffering", Verdict::kOk, "events come at once");
  if (least < kMaxDelay + round_trip_) return report_.add("delay", Verdict::kOk, std::to_string(least.count()) + " ms");
  report_.add("delay", Verdict::kFinding,
              "each event takes at least " + std::to_string(least.count()) + " ms, a request only " +
                  std::to_string(round_trip_.count()) + " ms: something waits whether more comes");
}

// Sends larger and larger events until the first one comes.
void Examination::measure_buffer() {
  const SteadyTime begun = steady_now();
  std::size_t total = 0;
  const auto waited = [&] { return format_age(between(begun, steady_now()) + kAtOnce); };
  for (std::size_t size = 1024; size <= kLargestEvent; size *= 2) {
    server_->send(event_data("of " + std::to_string(size), size));
    total += size;
    if (plain_->wait_for_data(last_event_, kBetweenSizes)) {
      return report_.add("buffering", Verdict::kFinding,
                         "an event of " + human_size(kSmallEvent) + " came only when " + human_size(total) +
                             " more were sent, " + waited() + " later: something collects before it passes on");
    }
  }
  const api::ProbeState state = plain_->state();
  report_.add("buffering", Verdict::kFinding,
              "an event did not come within " + waited() + ", nor when " + human_size(total) + " more were sent" +
                  (state.ended ? ", until " + last_words(state) : "") + ": something holds the response back");
}

void Examination::check_compression() {
  compressed_->wait_for_head(kAtOnce);
  const api::ProbeState before = compressed_->state();
  if (!before.head)
    return unchecked("compression", "a request that accepts it was not answered: " + last_words(before));
  const std::string encoding = printable(before.head->header("Content-Encoding"), 40);
  if (encoding.empty()) return report_.add("compression", Verdict::kOk, "the stream is not compressed");
  if (!passes_at_once_)
    return unchecked("compression",
                     "the stream is compressed (" + encoding + "), and no event passes at once without it either");
  if (compressed_->wait_for_data(last_event_, kAtOnce))
    return report_.add("compression", Verdict::kOk, encoding + ", and events pass at once");
  report_.add("compression", Verdict::kFinding,
              encoding + " holds events back: one did not come within " + format_age(kAtOnce) +
                  ", without compression at once");
}

void Examination::check_address() {
  if (server_ == nullptr) return unchecked("address", "give --server to ask it which address it sees");
  const auto shown = server_->find("a");
  if (!shown) return unchecked("address", "the stream has ended");
  const std::string seen = text_cell(*shown, "requestIp");
  const std::string own = options_.local_address.empty() ? own_address_towards(api::parse_address(options_.url.origin))
                                                         : options_.local_address;
  if (seen == own) return report_.add("address", Verdict::kOk, "the server sees this machine's address, " + seen);
  if (!is_internal_address(seen) && is_internal_address(own))
    return report_.add("address", Verdict::kOk, "the server sees " + seen + "; this machine is behind NAT");
  report_.add("address", Verdict::kFinding,
              "the server sees " + seen + " instead of " + own + ": limits per address and logs are about the proxy");
}

void Examination::check_leaver() {
  if (server_ == nullptr) return unchecked("leaver", "give --server to ask it when a stream has ended");
  if (!server_->find("a")) return unchecked("leaver", "the stream has ended");
  plain_->close();
  const SteadyTime left = steady_now();
  const milliseconds limit = std::max(kMinLeaverLimit, options_.watch);
  while (server_->find("a")) {
    if (steady_now() - left > limit) {
      return report_.add("leaver", Verdict::kFinding,
                         "the server still held a stream " + format_age(limit) + " after its client had gone");
    }
    Clock::system().sleep_for(kPoll);
  }
  const milliseconds taken = between(left, steady_now());
  const std::string noticed = "the server noticed " + format_age(taken) + " after a client had gone";
  if (taken < kAtOnce) return report_.add("leaver", Verdict::kOk, noticed);
  report_.add("leaver", Verdict::kNote,
              noticed +
                  ", when it wrote to it: until then the user seems to be online. HAProxy notices at once with 'option "
                  "abortonclose', Varnish with pipe; otherwise sse-serve with a shorter --heartbeat");
}

void Examination::check_idle() {
  const SteadyTime end = quiet_->state().started + options_.watch;
  const auto ended = [](const api::ProbeState& state) { return state.ended.has_value(); };
  quiet_->wait(std::max(milliseconds(0), between(steady_now(), end)), ended);
  const api::ProbeState state = quiet_->state();
  const std::string watched = format_age(options_.watch);
  if (state.flooded) {
    const double seconds = std::max(0.001, std::chrono::duration<double>(*state.ended - state.started).count());
    report_.add("flood", Verdict::kFinding,
                human_size(state.bytes) + " came within " + std::to_string(static_cast<int>(seconds) + 1) +
                    " s; the examination stopped to read there");
  } else if (state.ended) {
    const SteadyTime last = state.last_byte.value_or(state.started);
    report_.add("idle", Verdict::kFinding,
                "the stream was cut " + format_age(between(state.started, *state.ended)) + " after it was opened, " +
                    format_age(between(last, *state.ended)) + " after its last byte");
  } else {
    report_.add("idle", Verdict::kOk, "a stream that was left alone stayed open for " + watched);
  }
  check_heartbeats(state);
}

void Examination::check_heartbeats(const api::ProbeState& state) {
  if (state.ended || state.flooded) return unchecked("heartbeats", "the stream ended too early");
  const SteadyTime last = state.last_byte.value_or(state.started);
  const milliseconds silence = between(last, steady_now());
  // What a server sends when a stream is opened is no heartbeat.
  if (state.last_byte && between(state.started, last) > kAtOnce)
    return report_.add("heartbeats", Verdict::kOk, "bytes keep coming; the last ones " + format_age(silence) + " ago");
  if (silence < milliseconds(20'000))
    return unchecked("heartbeats",
                     "none came within " + format_age(silence) + ", which proves nothing; give a longer --for");
  report_.add(
      "heartbeats", Verdict::kFinding,
      "not a byte came for " + format_age(silence) + ": proxies and clients with shorter time-outs cut the stream");
}

}  // namespace sse::ctl
