#pragma once

#include "base/error.h"

namespace sse::net {

/// An Error that is answered with its own status instead of the status of its code.
using StatusError = sse::Refusal;

}  // namespace sse::net
