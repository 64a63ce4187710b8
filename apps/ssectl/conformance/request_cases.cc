#include <string>

#include "base/text.h"
#include "base/units.h"
#include "ssectl/conformance/suite.h"

namespace sse::ctl {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kNothingMore{500};
constexpr std::size_t kMegabyte = 1'000'000;

// Sends a request and waits for the head of its response; returns 0 when the peer closes the connection instead.
int status_of(RawConnection& connection, std::string_view request, milliseconds timeout) {
  connection.send(request);
  if (!connection.read_until("\r\n\r\n", timeout) && !connection.ended() && connection.status() == 0)
    throw CaseFailed{"no response within " + format_age(timeout)};
  return connection.status();
}

// A request that is too large or broken: an error, or the end of the connection, and no harm to others.
void is_refused(Suite& suite, std::string_view request) {
  RawConnection connection = suite.raw();
  const int status = status_of(connection, request, suite.options().timeout);
  if (status != 0 && (status < 400 || status >= 500))
    throw CaseFailed{"it was answered with status " + std::to_string(status)};
  suite.expect_alive();
}

void head_has_no_body(Suite& suite) {
  RawConnection connection = suite.raw();
  const int status = status_of(connection, suite.raw_request("HEAD") + "\r\n", suite.options().timeout);
  if (status == 405 || status == 501) return;
  if (status != 200) throw CaseFailed{"status " + std::to_string(status)};
  const std::size_t head = connection.received().find("\r\n\r\n") + 4;
  connection.read_until("\0\0\0", kNothingMore);
  if (connection.received().size() > head)
    throw CaseFailed{"after the head came " + std::to_string(connection.received().size() - head) + " bytes"};
}

void options_is_answered(Suite& suite) {
  const auto answer =
      suite.request("OPTIONS", {{"Origin", "https://conformance.example"}, {"Access-Control-Request-Method", "GET"}});
  const auto complete = [](const api::ProbeState& state) { return state.ended.has_value(); };
  if (!answer->wait(suite.options().timeout, complete)) throw CaseFailed{"the response has no end"};
  const api::ProbeState state = answer->state();
  if (!state.head) throw CaseFailed{state.reason};
  if (state.head->status >= 500 && state.head->status != 501)
    throw CaseFailed{"status " + std::to_string(state.head->status)};
}

void old_clients_get_no_chunks(Suite& suite) {
  RawConnection connection = suite.raw();
  const int status = status_of(connection, suite.raw_request("GET", "HTTP/1.0") + "\r\n", suite.options().timeout);
  if (status >= 400) return;
  const std::string head = to_lower(connection.received().substr(0, connection.received().find("\r\n\r\n")));
  if (head.find("transfer-encoding") != std::string::npos)
    throw CaseFailed{"the response to HTTP/1.0 has Transfer-Encoding, which it cannot read"};
}

void two_hosts_are_refused(Suite& suite) {
  is_refused(suite, suite.raw_request() + "Host: other.example\r\n\r\n");
}

void garbage_is_refused(Suite& suite) {
  is_refused(suite, std::string_view("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n\r\n\r\n", 19));
  is_refused(suite, "GET\r\n\r\n");
}

void smuggling_is_refused(Suite& suite) {
  // RFC 9112 6.3: two lengths are an attempt at request smuggling.
  is_refused(suite, suite.raw_request("POST") + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef");
}

void large_headers_are_refused(Suite& suite) {
  is_refused(suite, suite.raw_request() + "X-Fill: " + std::string(kMegabyte, 'a') + "\r\n\r\n");
}

void long_targets_are_refused(Suite& suite) {
  std::string request = suite.raw_request();
  request.insert(request.find(" HTTP/"), "&fill=" + std::string(kMegabyte, 'a'));
  is_refused(suite, request + "\r\n");
}

void any_last_event_id_is_survived(Suite& suite) {
  for (const std::string& id :
       {std::string("\xff\xfe"), std::string(5000, '9'), std::string("-1"), std::string("a b,c")}) {
    RawConnection connection = suite.raw();
    const int status =
        status_of(connection, suite.raw_request() + "Last-Event-ID: " + id + "\r\n\r\n", suite.options().timeout);
    if (status == 0 || status >= 500)
      throw CaseFailed{"Last-Event-ID '" + printable(id.substr(0, 20), 80) +
                       "': " + (status == 0 ? "the connection was closed" : "status " + std::to_string(status))};
  }
  suite.expect_alive();
}

void aborted_clients_do_no_harm(Suite& suite) {
  for (int i = 0; i < 20; ++i) {
    RawConnection connection = suite.raw();
    connection.send(suite.raw_request() + "\r\n");
    if (i % 2 == 0) connection.read_until("\r\n\r\n", suite.options().timeout);
    connection.reset();
  }
  suite.expect_alive();
}

constexpr Case kCases[] = {
    {"requests", "HEAD is answered without a body", "RFC 9110 9.3.2", head_has_no_body},
    {"requests", "OPTIONS is answered", "RFC 9110 9.3.7", options_is_answered},
    {"requests", "an HTTP/1.0 client gets no chunks", "RFC 9112 6.1", old_clients_get_no_chunks},
    {"requests", "two Host headers are refused", "RFC 9112 3.2", two_hosts_are_refused},
    {"requests", "what is not HTTP is refused", "RFC 9112 3", garbage_is_refused},
    {"requests", "two lengths are refused", "RFC 9112 6.3", smuggling_is_refused},
    {"requests", "a header of 1 MB is refused", "RFC 9110 5.4", large_headers_are_refused},
    {"requests", "a target of 1 MB is refused", "RFC 9110 4.1", long_targets_are_refused},
    {"requests", "any Last-Event-ID is survived", "WHATWG HTML 9.2.4", any_last_event_id_is_survived},
    {"requests", "clients that abort do no harm", "", aborted_clients_do_no_harm},
};

}  // namespace

std::span<const Case> request_cases() {
  return kCases;
}

}  // namespace sse::ctl
