#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "base/ids.h"
#include "hub/attributes.h"
#include "hub/client_key.h"

namespace sse::hub {

struct Connection;
class Group;

/// Index of streams by client, for users with many streams: a kiosk, or pages that share one user id. The client of a
/// stream is stored in its packed attributes; without this index every connect of such a user would unpack the
/// attributes of all its streams. Users with few streams are not indexed and cost nothing; streams without a clientId
/// are never looked up and not indexed either. Loop thread only.
class ClientIndex {
 public:
  /// A user with this many streams is indexed, until it has fewer than half as many.
  static constexpr std::size_t kManyStreams = 32;

  using Streams = std::map<ConnectionId, Connection*>;  // oldest first

  /// The connection has joined the groups of its user and tenant. Does nothing for a connection without a user.
  void joined(Connection& connection);
  /// The connection is about to leave these groups.
  void leaving(const Connection& connection);

  /// Whether the user is indexed: then find() and for_each() cover all its streams.
  bool knows(const Group& user) const { return users_.contains(&user); }
  /// Null when there are none. REQUIRES: knows(user).
  const Streams* find(const Group& user, const ClientKey& client) const;
  /// Calls `use` with each stream of the client, whatever its origin. REQUIRES: knows(user).
  template <class Use>
  void for_each(const Group& user, std::string_view tenant, std::string_view client, Use use) const {
    const Clients& clients = users_.at(&user);
    for (auto of = clients.lower_bound(std::tuple(tenant, client, std::string_view()));
         of != clients.end() && std::get<0>(of->first) == tenant && std::get<1>(of->first) == client; ++of) {
      for (const auto& [id, connection] : of->second) use(*connection);
    }
  }
  std::size_t users() const { return users_.size(); }

 private:
  using Key = std::tuple<std::string, std::string, std::string>;  // tenant, clientId, origin
  // Ordered, not hashed: the client chooses all three, and could provoke hash collisions.
  using Clients = std::map<Key, Streams, TextTupleLess>;

  static Key key_of(const Connection& connection);
  static void add(Clients& clients, Connection& connection);

  std::unordered_map<const Group*, Clients> users_;
};

}  // namespace sse::hub
