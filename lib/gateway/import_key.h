#pragma once

#include <string>

#include "base/ids.h"
#include "delivery/message_repository.h"

namespace sse::gateway {

/// The key of a message that is imported for `recipient`, see delivery/imported.h: it makes the import of the same line
/// harmless, tells two recipients of one message apart, and holds no secret. Throws Error(kInternal) when the
/// cryptography library fails.
std::string import_key(MessageId original, const delivery::Recipient& recipient);

}  // namespace sse::gateway
