#pragma once

#include <string>

#include "store/message_repository.h"

namespace sse::store {

/// True when every message of a store matches.
inline bool matches_all(const MessageFilter& filter) {
  return filter.service.empty() && !filter.kind && filter.recipient.empty() && filter.event.empty() &&
         !filter.after.valid();
}

/// True when the filter selects a message with these properties. Does not look at its ids.
inline bool matches(const MessageFilter& filter, const ServiceName& service, const Recipient& recipient,
                    const std::string& event) {
  return (filter.service.empty() || filter.service == service) && (!filter.kind || *filter.kind == recipient.kind) &&
         (filter.recipient.empty() || filter.recipient == recipient.name) &&
         (filter.event.empty() || filter.event == event);
}

}  // namespace sse::store
