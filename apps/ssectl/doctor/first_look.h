#pragma once

#include "api/stream_probe.h"
#include "ssectl/doctor/options.h"
#include "ssectl/doctor/report.h"

namespace sse::ctl {

/// Reports what a TLS handshake shows. Blocks as probe_tls(). Throws Error(kUnavailable) when there is none, or when
/// the certificate is refused and PublicAddress::verify_certificate is set.
void check_tls(const PublicAddress& examined, Report& report);

/// Reports what the status line and the headers of a stream show. `of_sse_server`: it must have the headers of
/// sse-serve.
void check_head(const api::ProbeHead& head, bool of_sse_server, Report& report);

/// Reports whether the response's Date is a time since the request was made at `requested`.
void check_clock(const api::ProbeHead& head, SteadyTime requested, Report& report);

}  // namespace sse::ctl
