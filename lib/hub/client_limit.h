#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "event/target.h"
#include "hub/client_index.h"
#include "hub/client_key.h"
#include "hub/connection.h"
#include "hub/index.h"

namespace sse::hub {

/// Finds the streams of one client on a shard, and those that exceed the limit of streams per client. A client is the
/// clientId of a user, on one origin and in one tenant; streams without a user or a clientId are not limited. Loop
/// thread only.
class ClientLimit {
 public:
  /// `max_streams`: of one client; 0: no limit. `elsewhere`: other nodes may have streams of the same client. `indexes`
  /// must outlive this.
  ClientLimit(const Indexes& indexes, std::size_t max_streams, bool elsewhere)
      : indexes_(indexes), max_(max_streams), elsewhere_(elsewhere) {}

  /// The connection has joined the indexes.
  void joined(Connection& connection) { clients_.joined(connection); }
  /// The connection is about to leave the indexes.
  void leaving(const Connection& connection) { clients_.leaving(connection); }

  /// The client of a new stream; nullopt when it cannot exceed the limit.
  std::optional<ClientKey> limited_client(const Connection& newest, const Attributes& attributes) const;
  /// The oldest streams of the client beyond the limit, oldest first.
  std::vector<Connection*> excess(const ClientKey& client) const;
  /// All streams of the client.
  std::vector<Connection*> streams_of(const ClientKey& client) const;
  /// Those that are open.
  std::vector<ConnectionId> open_streams_of(const ClientKey& client) const;
  /// Calls `use` with each stream of the user and tenant of `one` that has this clientId, whatever its origin, and for
  /// which `wanted` returns true. REQUIRES: `one` has a user.
  template <class Wanted, class Use>
  void for_each(const Connection& one, std::string_view client, Wanted wanted, Use use) const {
    const Group& user = *one.membership.group(event::TargetKind::kUser);
    const std::string_view tenant = Indexes::name_of(one, event::TargetKind::kTenant);
    if (clients_.knows(user)) {
      clients_.for_each(user, tenant, client, [&](Connection& other) {
        if (wanted(other)) use(other);
      });
      return;
    }
    for (Connection* other : user.members()) {
      // Before its attributes are unpacked.
      if (!wanted(*other) || Indexes::name_of(*other, event::TargetKind::kTenant) != tenant) continue;
      if (form_value(other->unpacked_attributes().query, "clientId") == client) use(*other);
    }
  }

 private:
  const Indexes& indexes_;
  const std::size_t max_;
  const bool elsewhere_;
  ClientIndex clients_;
};

}  // namespace sse::hub
