#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "api/stream_probe.h"

namespace sse::ctl {

/// What to write into the configuration of a program so that a finding goes away.
struct Advice {
  std::string_view program;  ///< `nginx`, …, `sse-serve`
  std::string_view line;
};

/// The programs that advice is known for, proxies only.
std::span<const std::string_view> known_proxies();

/// The advice for a check by its name. `proxy`: only for this one and for sse-serve; empty: for all. Advice for Envoy
/// is marked as untested.
std::vector<Advice> advice_for(std::string_view check, std::string_view proxy);

/// The proxy that the headers of a response name, one of known_proxies(); empty when they name none.
std::string_view proxy_of(const api::ProbeHead& head);

}  // namespace sse::ctl
