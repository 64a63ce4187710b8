#pragma once

#include <string>
#include <string_view>

#include "base/ids.h"
#include "store/message_repository.h"

namespace sse::store {

/// The key of a message that was exported from one server and imported by another, or requeued as a dead letter. Such a
/// message gets a new id; its key names its first id: `import/<id>/<kind>/<128 bits of SHA-256 of the recipient's name,
/// in hex>`. The prefix is reserved for these keys.
inline constexpr std::string_view kImportPrefix = "import/";

/// The key of the message whose first id is `original`.
std::string import_key(MessageId original, const Recipient& recipient);

/// The key that the sender of a message chose; empty for an imported message.
std::string sender_key(const std::string& key);

/// The first id in the key of an imported message; not valid for any other key.
MessageId original_in(std::string_view key);

}  // namespace sse::store
