#pragma once

#include <string>
#include <string_view>

#include "base/url.h"  // reads Attributes::query
#include "sse-server/connection.h"

namespace sse::hub {

/// A connection stores these as one packed string, because a server holds tens of thousands of connections and few are
/// ever inspected.
using Attributes = ClientDetails;

/// Packs all fields into one string; unpack_attributes() restores them.
std::string pack(const Attributes& attributes);
Attributes unpack_attributes(std::string_view packed);

}  // namespace sse::hub
