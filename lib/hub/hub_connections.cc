// Hub: queries and operations on its connections.
#include <algorithm>
#include <atomic>
#include <functional>
#include <iterator>
#include <memory>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "base/error.h"
#include "hub/hub.h"
#include "hub/hub_loops.h"

namespace sse::hub {

using event::TargetKind;
using net::CloseReason;

namespace {

constexpr std::size_t kDescribeAtOnce = 256;
// Ids of one ack.do processed per turn of the loop, so that its other work is not delayed.
constexpr std::size_t kAcknowledgeAtOnce = 512;

template <class Count>
auto total(const std::vector<std::unique_ptr<Shard>>& shards, Count count) {
  decltype(count(*shards.front())) sum = 0;
  for (const auto& shard : shards) sum += count(*shard);
  return sum;
}

}  // namespace

void Hub::visit(const UserId& user, const std::function<void(Shard&, std::size_t)>& use) {
  if (user.empty()) {
    on_all_shards(std::cref(use));
  } else {
    on_shards({shard_of(user)}, std::cref(use));
  }
}

std::vector<ConnectionInfo> Hub::describe(const std::vector<ConnectionId>& ids) {
  std::vector<std::optional<ConnectionInfo>> slots(ids.size());
  // In parts, because streams wait while a loop copies.
  for (std::size_t begin = 0; begin < ids.size(); begin += kDescribeAtOnce) {
    const std::size_t end = std::min(begin + kDescribeAtOnce, ids.size());
    on_all_shards([&](Shard& shard, std::size_t) {
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

std::optional<ConnectionInfo> Hub::describe(ConnectionId id) {
  std::vector<ConnectionInfo> infos = describe(std::vector<ConnectionId>{id});
  if (infos.empty()) return std::nullopt;
  return std::move(infos.front());
}

std::vector<ClosedConnection> Hub::recently_closed() {
  std::vector<std::vector<ClosedConnection>> parts(shards_.size());
  on_all_shards([&](Shard& shard, std::size_t number) {
    parts[number].assign(shard.registry().closed().begin(), shard.registry().closed().end());
  });
  std::vector<ClosedConnection> all;
  for (auto& part : parts)
    all.insert(all.end(), std::make_move_iterator(part.begin()), std::make_move_iterator(part.end()));
  std::ranges::stable_sort(all, std::greater<>(), &ClosedConnection::closed);
  return all;
}

std::vector<std::string> Hub::names(TargetKind kind) {
  std::vector<std::vector<std::string>> parts(shards_.size());
  on_all_shards([&](Shard& shard, std::size_t number) { parts[number] = shard.registry().names(kind); });
  std::vector<std::string> all;
  for (auto& part : parts)
    all.insert(all.end(), std::make_move_iterator(part.begin()), std::make_move_iterator(part.end()));
  // Sorted without duplicates: a tenant has streams on several loops.
  std::ranges::sort(all);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

std::size_t Hub::close(const std::vector<ConnectionId>& ids) {
  std::atomic<std::size_t> closed{0};
  on_all_shards([&](Shard& shard, std::size_t) {
    for (const ConnectionId id : ids) {
      if (Connection* connection = shard.find(id)) {
        shard.close_by_server(*connection);
        ++closed;
      }
    }
  });
  return closed;
}

std::size_t Hub::close(const event::Target& target) {
  std::atomic<std::size_t> closed{0};
  const std::vector<std::string> all_names{""};
  const std::vector<std::string>& names = target.kind == TargetKind::kAll ? all_names : target.names;
  on_all_shards([&](Shard& shard, std::size_t) {
    for (const std::string& name : names) {
      const std::vector<Connection*> members = shard.registry().connections_for(target.kind, name);
      for (Connection* connection : members) shard.close_by_server(*connection);
      closed += members.size();
    }
  });
  return closed;
}

std::optional<ListenerSet> Hub::change_listeners(ConnectionId id, const Identity& owner,
                                                 const std::vector<std::string>& names, bool add) {
  std::optional<ListenerSet> after;
  bool too_many = false;
  on_owned(id, owner, [&](Shard& shard, Connection& connection) {
    connection.rare().last_request_millis = to_millis(clock().wall_now());
    if (add) {
      std::set<std::string_view> all(names.begin(), names.end());
      all.insert(connection.listeners->begin(), connection.listeners->end());
      std::size_t bytes = 0;
      for (const std::string_view name : all) bytes += name.size();
      too_many = all.size() > kMaxListeners || bytes > kMaxListenerBytes;
      if (too_many) return;
    }
    after = shard.change_listeners(connection, names, add);
  });
  if (too_many) {
    throw Error(ErrorCode::kLimitExceeded, "a connection listens to at most " + std::to_string(kMaxListeners) +
                                               " events, whose names have at most " +
                                               std::to_string(kMaxListenerBytes) +
                                               " bytes together; remove some listeners first");
  }
  return after;
}

std::optional<ConnectionInfo> Hub::note_request(ConnectionId id, const Identity& owner, Request kind) {
  std::optional<ConnectionInfo> info;
  on_owned(id, owner, [&](const Shard& shard, Connection& connection) {
    Connection::Rare& rare = connection.rare();
    rare.last_request_millis = to_millis(clock().wall_now());
    ++(kind == Request::kMessage ? rare.request_messages : rare.request_uploads);
    info = shard.describe(connection);
  });
  return info;
}

std::optional<std::size_t> Hub::acknowledge(ConnectionId id, const Identity& owner,
                                            const std::vector<MessageId>& messages) {
  std::optional<std::size_t> confirmed;
  if (owner.user.empty() || !id.valid()) return confirmed;
  const std::vector<std::size_t> home{shard_of(owner.user)};
  std::size_t begin = 0;
  do {
    const auto first = messages.begin() + static_cast<std::ptrdiff_t>(begin);
    const std::vector<MessageId> part(
        first, first + static_cast<std::ptrdiff_t>(std::min(kAcknowledgeAtOnce, messages.size() - begin)));
    std::optional<std::size_t> more;
    on_shards(home, [&](Shard& shard, std::size_t) { more = shard.acknowledge(id, owner, part); });
    // The stream may end between two parts and be forgotten; the parts before that count.
    if (!more) break;
    confirmed = confirmed.value_or(0) + *more;
    begin += part.size();
  } while (begin < messages.size());
  return confirmed;
}

bool Hub::disconnect(ConnectionId id, const Identity& owner, const std::string& note) {
  bool found = false;
  on_owned(id, owner, [&](Shard& shard, Connection& connection) {
    shard.close(connection, CloseReason::kDisconnect, true, note);
    found = true;
  });
  return found;
}

std::vector<std::vector<ConnectionId>> Hub::connections_of(const std::vector<ClientKey>& clients) {
  std::vector<std::vector<ConnectionId>> found(clients.size());
  on_all_shards([&](const Shard& shard, std::size_t number) {
    for (std::size_t i = 0; i < clients.size(); ++i) {
      if (shard_of(UserId(clients[i].user)) == number) found[i] = shard.connections_of(clients[i]);
    }
  });
  return found;
}

void Hub::replace(const std::vector<ConnectionId>& ids) {
  on_all_shards([&](Shard& shard, std::size_t) {
    for (const ConnectionId id : ids) {
      if (Connection* connection = shard.find(id)) shard.close(*connection, CloseReason::kReplaced, true);
    }
  });
}

std::size_t Hub::close_for_reconnect(const std::vector<ConnectionId>& ids, std::chrono::milliseconds spread) {
  std::atomic<std::size_t> sent{0};
  on_all_shards([&](Shard& shard, std::size_t) {
    std::minstd_rand random(std::random_device{}());
    std::uniform_int_distribution<std::int64_t> delay(1, std::max<std::int64_t>(spread.count(), 1));
    for (const ConnectionId id : ids) {
      if (Connection* connection = shard.find(id)) {
        shard.close_for_reconnect(*connection, std::chrono::milliseconds(delay(random)));
        ++sent;
      }
    }
  });
  return sent;
}

void Hub::drain() {
  for (const auto& shard : shards_) {
    shard->loop().post([&shard = *shard] { shard.close_all(CloseReason::kShutdown); });
  }
}

std::size_t Hub::connections() const {
  return total(shards_, [](const Shard& shard) { return shard.registry().connections(); });
}

std::size_t Hub::users() const {
  return total(shards_, [](const Shard& shard) { return shard.registry().users(); });
}

std::size_t Hub::sockets() const {
  return total(shards_, [](const Shard& shard) { return shard.registry().sockets(); });
}

std::uint64_t Hub::backlog_bytes() const {
  return total(shards_, [](const Shard& shard) { return shard.backlog_bytes(); });
}

std::uint64_t Hub::turnover() const {
  return std::accumulate(metrics_.closed.begin(), metrics_.closed.end(), metrics_.opened.value(),
                         [](std::uint64_t n, const observe::Counter* closed) { return n + closed->value(); });
}

}  // namespace sse::hub
