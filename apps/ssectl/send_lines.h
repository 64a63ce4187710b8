#pragma once

#include <string>
#include <string_view>

#include "api/types.h"
#include "command.h"

namespace sse::ctl {

/// What a line of `send --ndjson` gets that does not say otherwise.
struct LineDefaults {
  api::Json fields = api::Json::object();  ///< of the request: target, event, qos, …
};

/// A line's request as the bulk call takes it. Throws Error(kInvalidArgument).
std::string bulk_line(std::string_view line, const LineDefaults& defaults);

/// `send --ndjson`: a JSON object a line from `file` (`-`: standard input), sent in batches over the bulk call as they
/// come: a batch is full at 1000 lines or 1 MiB, or goes when nothing more came for 200 ms. With ndjson a result goes
/// out for every line, in order, with the number of its `line`; otherwise what failed is told on standard error and a
/// summary at the end. A line of more than 8 MiB fails like any other; where the input itself fails, what was read
/// before is sent first. Goes on to the end also when nobody reads its output any more. Returns 1 when a line failed.
int send_lines(Context& context, const std::string& file, const LineDefaults& defaults);

}  // namespace sse::ctl
