#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "base/ids.h"
#include "hub/client_key.h"

namespace sse::hub {

struct Attributes;
struct Connection;
class Group;

/// The streams of each client, of users who have many: a kiosk, or pages whose users nobody tells apart. Who the client
/// of a stream is stands in its packed attributes, and without this index every connect of such a user would unpack
/// those of all its streams. Users with few streams are not in it and cost nothing; streams without a clientId are
/// never looked up, and not in it either. Loop thread only.
class ClientIndex {
 public:
  /// From so many streams on a user is indexed, until it has less than half as many.
  static constexpr std::size_t kManyStreams = 32;

  using Streams = std::map<ConnectionId, Connection*>;  // the oldest first

  /// The connection is in the group of its user, and of its tenant. Nothing for one without a user.
  void joined(Connection& connection);
  /// It is about to leave them.
  void leaving(const Connection& connection);

  /// Whether what follows knows all streams of the user.
  bool knows(const Group& user) const { return users_.contains(&user); }
  /// Null when there are none. REQUIRES: knows(user).
  const Streams* find(const Group& user, const ClientKey& client) const;
  /// All streams of the client whatever their origin. REQUIRES: knows(user).
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
  // Ordered, not hashed: all three are the client's choice.
  using Clients = std::map<Key, Streams, TextsLess>;

  static Key key_of(const Connection& connection);
  static void add(Clients& clients, Connection& connection);

  std::unordered_map<const Group*, Clients> users_;
};

}  // namespace sse::hub
