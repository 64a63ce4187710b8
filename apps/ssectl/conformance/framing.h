#pragma once

#include <string>
#include <string_view>

namespace sse::ctl {

/// The first violation of the event stream format (WHATWG HTML 9.2.5, 9.2.6) in the beginning of a stream, a sentence;
/// empty when there is none. The last line may be incomplete. Fields that browsers ignore count as violations, too, and
/// so does an event without data, which they drop.
std::string framing_error(std::string_view stream);

}  // namespace sse::ctl
