#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "base/units.h"
#include "event/target.h"
#include "sse-server/message_repository.h"
#include "sse-server/repository_abilities.h"
#include "store/payload.h"

/// The interface of the stores, which is public (sse-server/message_repository.h), and what the modules add to it.
namespace sse::store {

using sse::ability;
using sse::AddOutcome;
using sse::AsyncAdd;
using sse::AttemptCount;
using sse::AttemptLog;
using sse::first_id;
using sse::MessageCatalog;
using sse::MessageFilter;
using sse::MessageRepository;
using sse::NewMessage;
using sse::PartialRead;
using sse::PendingMessage;
using sse::Recipient;
using sse::WithdrawalReports;
using sse::Withdrawn;

struct RecipientHash {
  std::size_t operator()(const Recipient& recipient) const {
    return std::hash<std::string>{}(recipient.name) * 8 + static_cast<std::size_t>(recipient.kind);
  }
};

/// The recipients for which the message is stored; kAll as one.
std::vector<Recipient> recipients_of(const NewMessage& message);

/// The next `count` ids, ascending.
std::vector<MessageId> next_ids(IdGenerator& ids, std::size_t count);

}  // namespace sse::store
