#include "gateway/client_limiter.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "cluster/topics.h"
#include "cluster/wire.h"
#include "observe/barrier.h"

namespace sse::gateway {
namespace {

constexpr std::size_t kBatch = 256;
// Beyond these the limit is kept when the client opens its next stream.
constexpr std::size_t kMostWaiting = 100'000;
constexpr std::size_t kMaxWaitingBytes = std::size_t{32} * 1024 * 1024;

std::size_t bytes_of(const hub::ClientKey& client) {
  return sizeof client + client.user.size() + client.client.size() + client.origin.size() + client.tenant.size();
}

}  // namespace

std::vector<ConnectionId> too_many(std::vector<ConnectionId> streams, ConnectionId newcomer, std::size_t most) {
  streams.push_back(newcomer);
  std::ranges::sort(streams);
  streams.erase(std::unique(streams.begin(), streams.end()), streams.end());
  streams.resize(streams.size() - std::min(streams.size(), most));
  return streams;
}

void ClientLimiter::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "sse-limiter");
    run();
  });
}

void ClientLimiter::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void ClientLimiter::opened(const ServiceName& service, const hub::ClientKey& client, ConnectionId connection) {
  const MutexLock lock(mutex_);
  if (stopping_ || queue_.size() >= kMostWaiting || queue_bytes_ > kMaxWaitingBytes) return;
  queue_bytes_ += bytes_of(client);
  queue_.push_back({service, client, connection});
  if (queue_.size() == 1) changed_.notify_one();
}

void ClientLimiter::run() {
  for (;;) {
    std::vector<Newcomer> batch;
    {
      const MutexLock lock(mutex_);
      while (queue_.empty() && !stopping_) changed_.wait(mutex_);
      if (stopping_) return;
      const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(std::min(queue_.size(), kBatch));
      batch.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
      queue_.erase(queue_.begin(), end);
      for (const Newcomer& one : batch) queue_bytes_ -= bytes_of(one.client);
    }
    observe::guarded("the limit of a client's streams", [&] { limit(batch); });
  }
}

void ClientLimiter::limit(const std::vector<Newcomer>& newcomers) {
  std::vector<cluster::ClientCommand> questions;
  for (const auto& [service, client, connection] : newcomers)
    questions.push_back({service, client.user, client.client, client.origin, client.tenant});
  const std::vector<std::vector<ConnectionId>> elsewhere = cluster_.connections_of(questions);
  for (const Service& service : services_) {
    std::vector<hub::ClientKey> clients;
    std::vector<std::size_t> numbers;
    for (std::size_t i = 0; i < newcomers.size(); ++i) {
      if (newcomers[i].service != service.sender->service() || elsewhere[i].empty()) continue;
      clients.push_back(newcomers[i].client);
      numbers.push_back(i);
    }
    if (clients.empty()) continue;
    hub::Hub& hub = service.sender->hub();
    std::vector<std::vector<ConnectionId>> streams = hub.connections_of(clients);
    for (std::size_t k = 0; k < numbers.size(); ++k) {
      const std::vector<ConnectionId>& theirs = elsewhere[numbers[k]];
      streams[k].insert(streams[k].end(), theirs.begin(), theirs.end());
      end(service,
          too_many(std::move(streams[k]), newcomers[numbers[k]].connection, hub.options().client_max_connections));
    }
  }
}

void ClientLimiter::end(const Service& service, const std::vector<ConnectionId>& ids) {
  std::map<unsigned, std::vector<ConnectionId>> by_node;
  for (const ConnectionId id : ids) by_node[cluster::node_of_id(id.value())].push_back(id);
  for (const auto& [node, theirs] : by_node) {
    if (node == cluster_.number()) {
      service.sender->hub().replace(theirs);
    } else {
      cluster_.replace(node, {service.sender->service(), theirs});
    }
  }
}

}  // namespace sse::gateway
