#include "hub/connection_directory.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <string_view>
#include <utility>

#include "hub/delivery_scan.h"
#include "hub/shards.h"

namespace sse::hub {

using event::TargetKind;

namespace {

// Connections described per turn of a loop, so that its streams do not wait for long.
constexpr std::size_t kDescribeAtOnce = 256;

template <class Count>
auto total(const Shards& shards, Count count) {
  decltype(count(shards.at(0))) sum = 0;
  for (std::size_t number = 0; number < shards.size(); ++number) sum += count(shards.at(number));
  return sum;
}

}  // namespace

void ConnectionDirectory::visit(const UserId& user, const std::function<void(Shard&, std::size_t)>& use) const {
  if (user.empty()) {
    shards_.run_on_all(std::cref(use));
  } else {
    shards_.run_on({shards_.number_of(user)}, std::cref(use));
  }
}

std::vector<ConnectionInfo> ConnectionDirectory::describe(const std::vector<ConnectionId>& ids) const {
  std::vector<std::optional<ConnectionInfo>> slots(ids.size());
  // In parts, because streams wait while a loop copies.
  for (std::size_t begin = 0; begin < ids.size(); begin += kDescribeAtOnce) {
    const std::size_t end = std::min(begin + kDescribeAtOnce, ids.size());
    shards_.run_on_all([&](Shard& shard, std::size_t) {
      for (std::size_t i = begin; i < end; ++i) {
        if (const Connection* connection = shard.find(ids[i])) slots[i] = shard.describe(*connection);
      }
    });
  }
  std::vector<ConnectionInfo> infos;
  for (auto& slot : slots) {
    if (slot) infos.push_back(std::move(*slot));
  }
  return infos;
}

std::optional<ConnectionInfo> ConnectionDirectory::describe(ConnectionId id) const {
  std::vector<ConnectionInfo> infos = describe(std::vector<ConnectionId>{id});
  if (infos.empty()) return std::nullopt;
  return std::move(infos.front());
}

std::vector<ClosedConnection> ConnectionDirectory::recently_closed() const {
  std::vector<std::vector<ClosedConnection>> parts(shards_.size());
  shards_.run_on_all([&](Shard& shard, std::size_t number) {
    parts[number].assign(shard.registry().closed().begin(), shard.registry().closed().end());
  });
  std::vector<ClosedConnection> all;
  for (auto& part : parts)
    all.insert(all.end(), std::make_move_iterator(part.begin()), std::make_move_iterator(part.end()));
  std::ranges::stable_sort(all, std::greater<>(), &ClosedConnection::closed);
  return all;
}

bool ConnectionDirectory::has_recently_closed(ConnectionId id, const Identity& owner) const {
  bool found = false;
  if (owner.user.empty()) return found;
  shards_.run_on({shards_.number_of(owner.user)}, [&](const Shard& shard, std::size_t) {
    found = std::ranges::any_of(shard.registry().closed(), [&](const ClosedConnection& closed) {
      return closed.id == id && closed.user == owner.user && closed.tenant == owner.tenant;
    });
  });
  return found;
}

std::vector<std::string> ConnectionDirectory::names(TargetKind kind) const {
  std::vector<std::vector<std::string>> parts(shards_.size());
  shards_.run_on_all([&](Shard& shard, std::size_t number) { parts[number] = shard.registry().names(kind); });
  std::vector<std::string> all;
  for (auto& part : parts)
    all.insert(all.end(), std::make_move_iterator(part.begin()), std::make_move_iterator(part.end()));
  // Sorted without duplicates: a tenant has streams on several loops.
  std::ranges::sort(all);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

std::vector<std::vector<ConnectionId>> ConnectionDirectory::connections_of(
    const std::vector<ClientKey>& clients) const {
  std::vector<std::vector<ConnectionId>> found(clients.size());
  shards_.run_on_all([&](const Shard& shard, std::size_t number) {
    for (std::size_t i = 0; i < clients.size(); ++i) {
      if (shards_.number_of(UserId(clients[i].user)) == number)
        found[i] = shard.registry().clients().open_streams_of(clients[i]);
    }
  });
  return found;
}

void ConnectionDirectory::find_delivery_states(std::vector<DeliveryState>& messages) const {
  if (messages.empty()) return;
  std::map<std::pair<TargetKind, std::string_view>, std::vector<std::size_t>> by_recipient;
  for (std::size_t i = 0; i < messages.size(); ++i) by_recipient[{messages[i].kind, messages[i].name}].push_back(i);
  std::vector<std::vector<FoundState>> found(shards_.size());
  shards_.run_on_all([&](const Shard& shard, std::size_t number) {
    found[number].resize(messages.size());
    for (const auto& [recipient, asked] : by_recipient)
      hub::find_delivery_states(shard.registry(), shard.acks(), messages, asked, found[number]);
  });
  for (const auto& part : found) {
    for (std::size_t i = 0; i < messages.size(); ++i) {
      messages[i].state = std::max(messages[i].state, part[i].state);
      messages[i].connection = std::max(messages[i].connection, part[i].connection);
    }
  }
}

std::size_t ConnectionDirectory::connections() const {
  return total(shards_, [](const Shard& shard) { return shard.registry().connections(); });
}

std::size_t ConnectionDirectory::users() const {
  return total(shards_, [](const Shard& shard) { return shard.registry().users(); });
}

std::size_t ConnectionDirectory::sockets() const {
  return total(shards_, [](const Shard& shard) { return shard.registry().sockets(); });
}

std::uint64_t ConnectionDirectory::backlog_bytes() const {
  return total(shards_, [](const Shard& shard) { return shard.backlog_bytes(); });
}

std::size_t ConnectionDirectory::shards() const {
  return shards_.size();
}

}  // namespace sse::hub
