#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "store/message_repository.h"

namespace sse::observe {
class Counter;
}

/// Abilities of this project's own stores, see sse-server/repository_abilities.h.
namespace sse::store {

/// Counts confirmations where they remove messages.
class ConfirmationCounter {
 public:
  virtual ~ConfirmationCounter() = default;
  /// Makes MessageRepository::confirm() add to `counter` for every pair of the service it removes, and for no other: a
  /// message that was sent twice, or to two streams of its recipient, counts once. `counter` must outlive the
  /// repository's work; null stops counting.
  virtual void count_confirmed(const ServiceName& service, observe::Counter* counter) = 0;
};

/// A store that other nodes change, too, so that its size() may lag behind.
class SharedStore {
 public:
  virtual ~SharedStore() = default;
  /// The repository that holds everything added on this node: the store itself, or its local part, which answers
  /// without other nodes.
  virtual MessageRepository& local() = 0;

  /// Makes the repository call `settled` for awaited messages (NewMessage::awaited) that a recipient no longer has
  /// pending, whichever node received the confirmation; pairs that confirm() removed on this node may be left out. An
  /// invalid message id means that reports may have been missed, so every waiter must query the store. Runs on a thread
  /// of the repository or of a caller; must be quick, and not call the repository. Empty stops the reports.
  using Settled = std::function<void(const Recipient& recipient, MessageId message)>;
  virtual void report_settled(const ServiceName& service, Settled settled) = 0;
  /// Whether it reports now. Where it does not, a waiter must poll.
  virtual bool reports_settled() const = 0;
};

/// A store that can be a part of that of several nodes: what another node has to know of it.
class PartialStore {
 public:
  virtual ~PartialStore() = default;
  /// For each message, all imported (NewMessage::original) and for one recipient, the id of the stored message that
  /// add_all() would report it as a repeat of; not valid when add_all() would store it. Blocks on the store.
  virtual std::vector<MessageId> known_imports(std::span<const NewMessage> messages) = 0;

  /// The result of replace_older().
  struct Replaced {
    std::uint64_t count = 0;  ///< messages withdrawn
    MessageId newer{};        ///< valid: the first id of a younger message, which stays
  };
  /// Withdraws the recipient's pending message with this collapse key when it is older than `than`, the first id of a
  /// message with that key in another store. Blocks on the store.
  virtual Replaced replace_older(const ServiceName& service, const Recipient& recipient, const std::string& collapse,
                                 MessageId than) = 0;
};

}  // namespace sse::store
