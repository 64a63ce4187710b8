#pragma once

#include <string>
#include <string_view>

#include "api/types.h"
#include "ssectl/context/context.h"

namespace sse::ctl {

/// Default fields for the lines of `send --ndjson`, from the command line.
struct LineDefaults {
  api::Json fields = api::Json::object();  ///< fields of the request: target, event, qos, …
  std::string traceparent{};               ///< of the requests; empty: none
};

/// Converts an input line to a line of the bulk request. Throws Error(kInvalidArgument).
std::string bulk_line(std::string_view line, const LineDefaults& defaults);

/// Runs `send --ndjson`: reads one JSON object per line from `file` (`-`: standard input) and sends them in bulk
/// requests as they arrive. A batch is sent at 1000 lines or 1 MiB, or when no input arrived for 200 ms. With ndjson
/// output every line gets a result, in order, with its number as `line`; otherwise failures are printed on standard
/// error and a summary at the end. A line above 8 MiB fails like any other invalid line. When reading fails, the lines
/// read so far are sent first. Continues to the end even if standard output is closed. Returns 1 if a line failed.
int send_lines(Context& context, const std::string& file, const LineDefaults& defaults);

}  // namespace sse::ctl
