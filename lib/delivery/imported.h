#pragma once

#include <string>
#include <string_view>

#include "base/ids.h"
#include "delivery/message_repository.h"

namespace sse::delivery {

/// A message that was exported from one server and imported by another, or sent again when it was dead, has a new id,
/// and a key that names the id it had first: `import/<id>/<kind>/<128 bits of SHA-256 of the recipient's name, in
/// hex>`. Keys that begin so are for this alone.
inline constexpr std::string_view kImportPrefix = "import/";

/// That key of the message whose first id is `original`.
std::string import_key(MessageId original, const Recipient& recipient);

/// The id in the key of an imported message; not valid for any other key.
MessageId original_in(std::string_view key);

}  // namespace sse::delivery
