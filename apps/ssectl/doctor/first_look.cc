#include "ssectl/doctor/first_look.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "api/address.h"
#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "net/http_date.h"
#include "ssectl/doctor/tls_probe.h"

namespace sse::ctl {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kMaxSkew{5'000};
constexpr std::chrono::hours kCertificateLeft{24 * 14};

}  // namespace

void check_tls(const PublicAddress& examined, Report& report) {
  const api::Address address = api::parse_address(examined.url.origin);
  if (!address.tls) {
    report.add("tls", Verdict::kNote, "not used: anyone on the way can read the events");
    report.add("http2", Verdict::kNote,
               "not possible without TLS: browsers open at most six connections to this host, for all tabs together");
    return;
  }
  const TlsFacts facts = probe_tls(address, examined.local_address, examined.timeout);
  if (!facts.error.empty()) {
    throw Error(ErrorCode::kUnavailable,
                "cannot reach " + examined.url.origin + ": " + facts.error + "; is the address right?");
  }
  const auto left = facts.not_after ? *facts.not_after - wall_now() : WallTime::duration(kCertificateLeft);
  const std::string shown = facts.protocol + ", " + printable(facts.subject, 80);
  if (!facts.distrust.empty()) {
    report.add("tls", Verdict::kFinding,
               "browsers refuse the certificate of " + printable(facts.subject, 80) + ": " + facts.distrust);
  } else if (left < kCertificateLeft) {
    report.add("tls", Verdict::kFinding, shown + ": the certificate ends in " + format_age(left));
  } else {
    report.add("tls", Verdict::kOk, shown + (facts.not_after ? ", valid for " + format_age(left) : ""));
  }
  if (!facts.distrust.empty() && examined.verify_certificate) {
    throw Error(ErrorCode::kUnavailable, "browsers refuse the certificate of " + examined.url.origin + ": " +
                                             facts.distrust + "; with --insecure the rest is examined all the same");
  }
  if (facts.alpn == "h2") {
    report.add("http2", Verdict::kOk, "offered (ALPN h2)");
  } else {
    report.add("http2", Verdict::kFinding,
               "not offered (ALPN): browsers open at most six connections to this host, for all tabs together");
  }
}

void check_head(const api::ProbeHead& head, bool of_sse_server, Report& report) {
  if (head.version == "HTTP/1.0") {
    report.add("version", Verdict::kFinding,
               "the response is HTTP/1.0: something in between is older than event streams");
  } else {
    report.add("version", Verdict::kOk, head.version);
  }
  std::string missing;
  const std::string cache = to_lower(head.header("Cache-Control"));
  if (cache.find("no-cache") == std::string::npos && cache.find("no-store") == std::string::npos)
    missing = "Cache-Control: no-cache";
  if (of_sse_server && cache.find("no-transform") == std::string::npos)
    missing += (missing.empty() ? "" : ", ") + std::string("Cache-Control: no-transform");
  if (of_sse_server && head.header("X-Sse-Server-Id").empty())
    missing += (missing.empty() ? "" : ", ") + std::string("X-Sse-Server-Id");
  if (!missing.empty()) {
    report.add("headers", Verdict::kFinding, "missing in the response: " + missing);
  } else if (!head.header("Content-Length").empty()) {
    report.add("headers", Verdict::kFinding,
               "Content-Length: " + head.header("Content-Length") + ", but a stream has no end");
  } else {
    report.add("headers", Verdict::kOk, "nothing is missing in the response");
  }
}

void check_clock(const api::ProbeHead& head, SteadyTime requested, Report& report) {
  const auto date = net::parse_http_date(head.header("Date"), wall_now());
  if (!date) return report.add("clock", Verdict::kUnchecked, "the response has no Date");
  // It was written at some time since the request, in whole seconds.
  const WallTime now = wall_now();
  const WallTime begun =
      now - std::chrono::duration_cast<milliseconds>(steady_now() - requested) - std::chrono::seconds(1);
  const auto skew = *date < begun ? begun - *date : std::max(WallTime::duration(0), *date - now);
  if (skew <= kMaxSkew) return report.add("clock", Verdict::kOk, "agrees with that of this machine");
  report.add("clock", Verdict::kFinding,
             "differs by " + format_age(std::chrono::duration_cast<milliseconds>(skew)) +
                 " from that of this machine: tokens are refused or live too long");
}

}  // namespace sse::ctl
