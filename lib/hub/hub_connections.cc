// Hub: closes its connections, and what pages request of theirs.
#include <algorithm>
#include <atomic>
#include <latch>
#include <memory>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/url.h"
#include "hub/hub.h"
#include "hub/scan_parts.h"

namespace sse::hub {

using event::TargetKind;
using net::CloseReason;

namespace {

// Ids of one ack.do processed per turn of the loop, so that its other work is not delayed.
constexpr std::size_t kAcknowledgeAtOnce = 512;

}  // namespace

std::size_t Hub::close(const std::vector<ConnectionId>& ids) {
  std::atomic<std::size_t> closed{0};
  shards_.run_on_all([&](Shard& shard, std::size_t) {
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
  shards_.run_on_all([&](Shard& shard, std::size_t) {
    for (const std::string& name : names) {
      const std::vector<Connection*> members = shard.registry().connections_for(target, name);
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
  shards_.run_on_owned(id, owner, [&](Shard& shard, Connection& connection) {
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

// In a cluster this node subscribes to the channels first: the stream misses no event once it has joined.
std::optional<std::vector<Subscription>> Hub::subscribe(ConnectionId id, const Identity& owner,
                                                        const std::vector<JoinedChannel>& channels,
                                                        std::uint32_t version) {
  check_may_wait();
  Names names;
  for (const JoinedChannel& channel : channels) names.emplace_back(TargetKind::kChannel, channel.name.str());
  if (options_.in_cluster && !names.empty()) {
    const auto ready = std::make_shared<std::latch>(1);
    // A delegate that is stopping destroys it uncalled.
    auto guard = std::make_shared<std::optional<LatchGuard>>(LatchGuard(ready));
    delegate_.opening(names, [guard = std::move(guard)] { guard->reset(); });
    ready->wait();
  }
  std::optional<std::vector<Subscription>> result;
  shards_.run_on_owned(id, owner, [&](Shard& shard, Connection& connection) {
    connection.rare().last_request_millis = to_millis(clock().wall_now());
    result = shard.channels().subscribe(connection, channels, version);
  });
  if (options_.in_cluster) {
    Names unused;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (!result || !(*result)[i].fresh) unused.push_back(names[i]);
    }
    if (!unused.empty()) delegate_.left(unused);
  }
  return result;
}

std::optional<std::vector<std::string>> Hub::granted_channels(ConnectionId id, const Identity& owner) const {
  std::optional<std::vector<std::string>> granted;
  shards_.run_on_owned(id, owner, [&](const Shard&, const Connection& connection) {
    const Connection::Rare* rare = connection.rare_or_null();
    granted = rare != nullptr && rare->granted_channels ? *rare->granted_channels : std::vector<std::string>();
  });
  return granted;
}

std::optional<std::vector<bool>> Hub::unsubscribe(ConnectionId id, const Identity& owner,
                                                  const std::vector<ChannelName>& channels) {
  std::optional<std::vector<bool>> left;
  shards_.run_on_owned(id, owner, [&](Shard& shard, Connection& connection) {
    connection.rare().last_request_millis = to_millis(clock().wall_now());
    left.emplace();
    for (const ChannelName& channel : channels)
      left->push_back(shard.channels().unsubscribe(connection, channel.str()));
  });
  return left;
}

std::optional<ConnectionInfo> Hub::note_request(ConnectionId id, const Identity& owner, Request kind) {
  std::optional<ConnectionInfo> info;
  shards_.run_on_owned(id, owner, [&](const Shard& shard, Connection& connection) {
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
  const std::vector<std::size_t> home{shards_.number_of(owner.user)};
  std::size_t begin = 0;
  do {
    const auto first = messages.begin() + static_cast<std::ptrdiff_t>(begin);
    const std::vector<MessageId> part(
        first, first + static_cast<std::ptrdiff_t>(std::min(kAcknowledgeAtOnce, messages.size() - begin)));
    std::optional<std::size_t> more;
    shards_.run_on(home, [&](Shard& shard, std::size_t) { more = shard.acknowledge(id, owner, part); });
    // The stream may end between two parts and be forgotten; the parts before that count.
    if (!more) break;
    confirmed = confirmed.value_or(0) + *more;
    begin += part.size();
  } while (begin < messages.size());
  return confirmed;
}

bool Hub::disconnect(ConnectionId id, const Identity& owner, const std::string& note) {
  bool found = false;
  shards_.run_on_owned(id, owner, [&](Shard& shard, Connection& connection) {
    shard.close(connection, CloseReason::kDisconnect, true, note);
    found = true;
  });
  return found;
}

bool Hub::disconnect_client(ConnectionId id, std::string_view client, const std::string& note) {
  std::atomic<bool> found{false};
  shards_.run_on_all([&](Shard& shard, std::size_t) {
    Connection* connection = shard.find(id);
    if (connection == nullptr || form_value(connection->unpacked_attributes().query, "clientId") != client) return;
    shard.close(*connection, CloseReason::kDisconnect, true, note);
    found = true;
  });
  return found;
}

void Hub::review_channels(const std::shared_ptr<const ChannelReview>& review) {
  shards_.run_on_all([&](Shard& shard, std::size_t) { shard.channels().set_review(review); });
  in_parts(
      directory_, UserId(),
      [](Shard& shard, std::vector<ConnectionId>& ids) { add_ids(shard.registry().group(TargetKind::kAll, ""), ids); },
      [](Shard& shard, std::size_t, const Connection& connection) {
        if (connection.membership.group(TargetKind::kChannel) == nullptr &&
            connection.membership.further_channels() == 0)
          return;
        if (Connection* found = shard.find(connection.id)) shard.channels().review(*found);
      });
}

void Hub::replace(const std::vector<ConnectionId>& ids) {
  shards_.run_on_all([&](Shard& shard, std::size_t) {
    for (const ConnectionId id : ids) {
      if (Connection* connection = shard.find(id)) shard.close(*connection, CloseReason::kReplaced, true);
    }
  });
}

std::size_t Hub::close_for_reconnect(const std::vector<ConnectionId>& ids, std::chrono::milliseconds spread) {
  std::atomic<std::size_t> sent{0};
  shards_.run_on_all([&](Shard& shard, std::size_t) {
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
  shards_.post_to_all([](Shard& shard) { shard.close_all(CloseReason::kShutdown); });
}

std::uint64_t Hub::turnover() const {
  return std::accumulate(metrics_.closed.begin(), metrics_.closed.end(), metrics_.opened.value(),
                         [](std::uint64_t n, const observe::Counter* closed) { return n + closed->value(); });
}

}  // namespace sse::hub
