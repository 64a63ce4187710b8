#include "hub/client_index.h"

#include <utility>

#include "hub/connection.h"

namespace sse::hub {

using event::TargetKind;

ClientIndex::Key ClientIndex::key_of(const Connection& connection) {
  Attributes attributes = connection.unpacked_attributes();
  return {std::string(Indexes::name_of(connection, TargetKind::kTenant)), form_value(attributes.query, "clientId"),
          std::move(attributes.origin)};
}

void ClientIndex::add(Clients& clients, Connection& connection) {
  Key key = key_of(connection);
  if (!std::get<1>(key).empty()) clients[std::move(key)].emplace(connection.id, &connection);
}

void ClientIndex::joined(Connection& connection) {
  const Group* user = connection.membership.group(TargetKind::kUser);
  if (user == nullptr || user->size() < kManyStreams) return;
  const auto [known, fresh] = users_.try_emplace(user);
  if (!fresh) {
    add(known->second, connection);
    return;
  }
  for (Connection* one : user->members()) add(known->second, *one);
}

void ClientIndex::leaving(const Connection& connection) {
  const Group* user = connection.membership.group(TargetKind::kUser);
  if (user == nullptr) return;
  const auto known = users_.find(user);
  if (known == users_.end()) return;
  if (user->size() <= kManyStreams / 2) {
    users_.erase(known);
    return;
  }
  const auto client = known->second.find(key_of(connection));
  if (client == known->second.end()) return;
  client->second.erase(connection.id);
  if (client->second.empty()) known->second.erase(client);
}

const ClientIndex::Streams* ClientIndex::find(const Group& user, const ClientKey& client) const {
  const Clients& clients = users_.at(&user);
  const auto found = clients.find(
      std::tuple<std::string_view, std::string_view, std::string_view>(client.tenant, client.client, client.origin));
  return found == clients.end() ? nullptr : &found->second;
}

}  // namespace sse::hub
