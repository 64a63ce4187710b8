#pragma once

#include <functional>

#include "store/dead_letters.h"
#include "store/message_repository.h"

namespace sse::admin {

/// The stores that the routes for messages and dead letters use; they must outlive the routes.
struct MessageStores {
  store::MessageCatalog& catalog;
  store::DeadLetters& dead;
  /// Moves expired messages to the dead letters, so that no message is shown as pending that cannot be delivered any
  /// more. May be empty.
  std::function<void()> expire{};

  void move_expired() const {
    if (expire) expire();
  }
};

}  // namespace sse::admin
