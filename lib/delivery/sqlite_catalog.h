#pragma once

#include <memory>
#include <string>

#include "delivery/message_repository.h"

namespace sse::delivery {

/// A read-only view of a database file, for the operator: whether a server has it open, has closed it or was killed.
/// Never makes or changes a file. Every call opens the database anew and sees its state of then; nothing is held
/// between calls, so that a server can come and go. erase() throws Error(kPermissionDenied).
///
/// Throws Error: kNotFound when there is no such file, kInvalidArgument when it is none of ours, kPermissionDenied,
/// kIo. The calls of the catalog throw the same.
std::unique_ptr<MessageCatalog> open_catalog(const std::string& path);

}  // namespace sse::delivery
