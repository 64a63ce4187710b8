#include "hub/client_tag.h"

#include <functional>

#include "hub/connection.h"

namespace sse::hub {

std::uint8_t client_tag(std::string_view id) {
  return id.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(1 + std::hash<std::string_view>{}(id) % UINT8_MAX);
}

bool Connection::is_of_client(std::string_view client) const {
  const std::uint8_t tag = hub::client_tag(client);
  if (tag != client_tag && tag != instance_tag) return false;
  const Attributes known = unpacked_attributes();
  return known.parameter(kClientId) == client || known.parameter(kClientInstanceId) == client;
}

}  // namespace sse::hub
