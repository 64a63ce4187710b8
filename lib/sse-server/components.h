#pragma once

#include <functional>
#include <memory>

#include "sse-server/authenticator.h"
#include "sse-server/discovery.h"
#include "sse-server/export.h"
#include "sse-server/ids.h"
#include "sse-server/message_repository.h"

namespace sse {

/// Allocates the ids of messages and events of a server, ascending. Thread safe. For a MessageRepository, which
/// allocates an id for each message in the order in which it commits them.
class SSE_API MessageIds {
 public:
  virtual ~MessageIds() = default;
  /// The next id.
  virtual MessageId next() = 0;
  /// From now on every id is greater than `id`: for a repository that is opened, with the greatest id it ever had.
  virtual void raise_above(MessageId id) = 0;
};

/// What a program provides instead of the server's own. Each may be empty.
struct Components {
  /// Identifies users, instead of Callbacks::authenticate.
  std::unique_ptr<Authenticator> authenticator{};
  /// Makes the store of pending messages, instead of ServerOptions::database; not with ServerOptions::cluster. Called
  /// once, by the constructor of the server, which owns the repository; `ids` outlives it. What the repository can do
  /// beyond MessageRepository is in its abilities (sse-server/repository_abilities.h): without a MessageCatalog the
  /// admin API cannot list messages, and the server cannot be a node of a cluster. There are no dead letters.
  std::function<std::unique_ptr<MessageRepository>(MessageIds& ids)> repository{};
  /// Finds the other nodes of a cluster, instead of ServerOptions::discovery; not with ServerOptions::cluster. Needs
  /// ServerOptions::cluster_listen and cluster_secret_file.
  std::unique_ptr<Discovery> discovery{};
};

}  // namespace sse
