#pragma once

#include "sse-server/payload.h"

namespace sse::store {

using sse::Payload;

}  // namespace sse::store
