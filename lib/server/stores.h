#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/ids.h"
#include "cluster/mesh/mesh_repository.h"
#include "observe/metrics.h"
#include "server/server.h"
#include "sse-server/components.h"
#include "store/absent_stores.h"
#include "store/dead_letters.h"
#include "store/message_repository.h"
#include "store/outbox.h"
#include "store/write_probe.h"

namespace sse::server {

/// The store of the server's messages: in memory, in a file, in the Redis of a cluster, distributed over the nodes of a
/// mesh, or the program's own. One object implements all of its interfaces; one of the program's own may leave some
/// out, whose place objects without messages take.
class Stores {
 public:
  /// Opens the store that `options` name. `ids` must outlive this. Throws Error.
  Stores(const ServerOptions& options, const std::string& server_id, IdGenerator& ids, observe::Registry& metrics);

  /// In a mesh each node stores the messages it accepted, and passes them to the node a recipient connects to. From now
  /// on the other functions return the store of the whole mesh. The parameters of `mesh` must outlive this.
  cluster::MeshRepository& share(cluster::Bus& bus, cluster::Interest& interest,
                                 const cluster::MeshRepository::Options& mesh);

  store::MessageRepository& messages() const { return *repository_; }
  store::MessageCatalog& catalog() const { return *catalog_; }
  store::DeadLetters& dead_letters() const { return *dead_letters_; }
  store::AttemptLog* attempts() const { return attempts_; }
  /// The delivery reports of this node; in a mesh each node has those of its messages. Null when the program's own
  /// repository makes none.
  store::Outbox* outbox() const { return outbox_; }
  /// Null when no thread of its own writes the store of this node.
  store::WriteProbe* write_probe() const { return write_probe_; }

 private:
  template <class Repository>
  void set(std::unique_ptr<Repository> repository);
  void set_own(const ServerOptions& options, IdGenerator& ids);

  std::unique_ptr<MessageIds> message_ids_;        ///< of the program's own repository
  std::unique_ptr<store::AbsentStores> absent_;    ///< in the place of what that lacks
  std::unique_ptr<store::MessageRepository> own_;  ///< of this node, below repository_ in a mesh
  std::unique_ptr<store::MessageRepository> repository_;
  // The same object as repository_; in a mesh the catalog is that of this node.
  store::MessageCatalog* catalog_ = nullptr;
  store::DeadLetters* dead_letters_ = nullptr;
  store::AttemptLog* attempts_ = nullptr;
  store::WriteProbe* write_probe_ = nullptr;
  store::Outbox* outbox_ = nullptr;  ///< as write_probe_, of own_ in a mesh
};

}  // namespace sse::server
