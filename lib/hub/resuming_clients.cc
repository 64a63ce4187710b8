#include "hub/resuming_clients.h"

#include <string_view>

#include "hub/connection.h"

namespace sse::hub {
namespace {

// Approximate overhead of the containers and the allocator per client.
constexpr std::uint64_t kClientBytes = 96;

std::uint64_t size_of(const std::string& key) {
  return kClientBytes + key.size();
}

}  // namespace

void ResumingClients::add(const std::string& key, SteadyTime now) {
  const MutexLock lock(mutex_);
  expire(now);
  const auto [client, fresh] = clients_.try_emplace(key);
  if (fresh) bytes_ += size_of(key);
  ++client->second.open;
  order_.push_back({&*client, now + retention_});
  bytes_ += sizeof(Entry);
  while (bytes_ > limit_) drop_oldest();
  entries_.store(order_.size(), std::memory_order_relaxed);
}

bool ResumingClients::take(const std::string& key, SteadyTime now) {
  const MutexLock lock(mutex_);
  expire(now);
  entries_.store(order_.size(), std::memory_order_relaxed);
  const auto client = clients_.find(key);
  if (client == clients_.end() || client->second.open == 0) return false;
  --client->second.open;
  ++client->second.taken;
  return true;
}

std::uint64_t ResumingClients::bytes() const {
  const MutexLock lock(mutex_);
  return bytes_;
}

void ResumingClients::expire(SteadyTime now) {
  while (!order_.empty() && order_.front().until <= now) drop_oldest();
}

void ResumingClients::drop_oldest() {
  Clients::value_type& client = *order_.front().client;
  order_.pop_front();
  bytes_ -= sizeof(Entry);
  --(client.second.taken > 0 ? client.second.taken : client.second.open);
  if (client.second.open + client.second.taken > 0) return;
  bytes_ -= size_of(client.first);
  clients_.erase(clients_.find(client.first));
}

std::string reconnect_key(const Identity& identity, const Attributes& attributes, const std::string& last_event_id,
                          bool instance) {
  std::string key;
  const auto add = [&key](std::string_view part) { key.append(std::to_string(part.size())).append(":").append(part); };
  add(identity.user.str());
  add(identity.tenant.str());
  if (const std::string client = form_value(attributes.query, "clientId"); !client.empty()) {
    add(client);
    if (instance) add(form_value(attributes.query, "clientInstanceId"));
  } else {
    key += '?';
    add(attributes.address);
    add(attributes.user_agent);
    add(last_event_id);
  }
  return key;
}

}  // namespace sse::hub
