#include "hub/client_limit.h"

#include <algorithm>
#include <string>

namespace sse::hub {

using event::TargetKind;

std::optional<ClientKey> ClientLimit::limited_client(const Connection& newest, const Attributes& attributes) const {
  const Group* user = newest.membership.group(TargetKind::kUser);
  if (max_ == 0 || user == nullptr || (user->size() <= max_ && !elsewhere_)) return std::nullopt;
  ClientKey client{std::string(user->name()), form_value(attributes.query, "clientId"), attributes.origin,
                   std::string(Indexes::name_of(newest, TargetKind::kTenant))};
  if (client.client.empty()) return std::nullopt;
  return client;
}

std::vector<Connection*> ClientLimit::excess(const ClientKey& client) const {
  std::vector<Connection*> oldest;
  const Group* user = indexes_.find(TargetKind::kUser, client.user);
  if (max_ == 0 || user == nullptr || user->size() <= max_) return oldest;
  if (clients_.knows(*user)) {
    const ClientIndex::Streams* streams = clients_.find(*user, client);
    if (streams == nullptr) return oldest;
    for (auto one = streams->begin(); oldest.size() + max_ < streams->size(); ++one) oldest.push_back(one->second);
    return oldest;
  }
  oldest = streams_of(client);
  std::ranges::sort(oldest, {}, [](const Connection* connection) { return connection->id; });
  oldest.resize(oldest.size() - std::min(oldest.size(), max_));
  return oldest;
}

std::vector<Connection*> ClientLimit::streams_of(const ClientKey& client) const {
  std::vector<Connection*> streams;
  const Group* user = indexes_.find(TargetKind::kUser, client.user);
  if (user == nullptr) return streams;
  if (clients_.knows(*user)) {
    if (const ClientIndex::Streams* known = clients_.find(*user, client)) {
      for (const auto& [id, connection] : *known) streams.push_back(connection);
    }
    return streams;
  }
  for (Connection* one : user->members()) {
    if (Indexes::name_of(*one, TargetKind::kTenant) != client.tenant) continue;
    const Attributes theirs = one->unpacked_attributes();
    if (theirs.origin == client.origin && form_value(theirs.query, "clientId") == client.client) streams.push_back(one);
  }
  return streams;
}

std::vector<ConnectionId> ClientLimit::open_streams_of(const ClientKey& client) const {
  std::vector<ConnectionId> ids;
  for (const Connection* one : streams_of(client)) {
    if (one->open()) ids.push_back(one->id);
  }
  return ids;
}

}  // namespace sse::hub
