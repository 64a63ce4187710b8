#pragma once

#include <string_view>

#include "base/ids.h"

namespace sse::delivery {

/// A message that was exported from one server and imported by another has a new id there, and a key that names the id
/// it had first: `import/<id>/<kind>/<128 bits of SHA-256 of the recipient's name, in hex>`. Keys that begin so are for
/// this alone.
inline constexpr std::string_view kImportPrefix = "import/";

/// The id in the key of an imported message; not valid for any other key.
MessageId original_in(std::string_view key);

}  // namespace sse::delivery
