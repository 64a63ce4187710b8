#pragma once

#include <memory>
#include <string>

#include "store/message_repository.h"

namespace sse::store {

/// A read-only view of a database file for the operator, whether a server has it open, has closed it or was killed.
/// Never creates or changes a file. Every call opens the database and sees its current state; no connection stays open
/// between calls, so that a server can start and stop. erase() throws Error(kPermissionDenied).
///
/// Throws Error, as do the calls of the catalog: kNotFound when there is no such file, kInvalidArgument when it is
/// empty or a folder, kConflict when this program does not know its format, kPermissionDenied, kIo.
std::unique_ptr<MessageCatalog> open_catalog(const std::string& path);

}  // namespace sse::store
