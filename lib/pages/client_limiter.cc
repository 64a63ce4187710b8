#include "pages/client_limiter.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <utility>

#include "cluster/core/topics.h"
#include "cluster/core/wire.h"
#include "observe/barrier.h"

namespace sse::pages {
namespace {

constexpr std::size_t kBatch = 256;
// Beyond these bounds the limit is enforced when the client opens its next stream.
constexpr std::size_t kMaxWaiting = 100'000;
constexpr std::size_t kMaxWaitingBytes = std::size_t{32} * 1024 * 1024;
// Pauses between two queries to nodes that did not reply.
constexpr std::chrono::seconds kFirstPause{1};
constexpr std::chrono::seconds kLastPause{30};
constexpr unsigned kMaxTries = 20;

std::size_t bytes_of(const hub::ClientKey& client) {
  return sizeof client + client.user.size() + client.client.size() + client.origin.size() + client.tenant.size();
}

}  // namespace

std::vector<ConnectionId> streams_to_end(std::vector<ConnectionId> streams, ConnectionId newcomer,
                                         std::size_t max_streams) {
  streams.push_back(newcomer);
  std::ranges::sort(streams);
  streams.erase(std::unique(streams.begin(), streams.end()), streams.end());
  streams.resize(streams.size() - std::min(streams.size(), max_streams));
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
  if (stopping_ || queue_.size() + retries_.size() >= kMaxWaiting || queue_bytes_ > kMaxWaitingBytes) return;
  queue_bytes_ += bytes_of(client);
  queue_.push_back({service, client, connection});
  if (queue_.size() == 1) changed_.notify_one();
}

void ClientLimiter::refresh_pending(std::vector<OpenedStream> newcomers) {
  const SteadyTime now = cluster_.options().clock->steady_now();
  const MutexLock lock(mutex_);
  for (OpenedStream& one : newcomers) {
    const std::size_t bytes = bytes_of(one.client);
    if (one.tries >= kMaxTries || queue_.size() + retries_.size() >= kMaxWaiting ||
        queue_bytes_ + bytes > kMaxWaitingBytes)
      continue;
    const auto pause = std::min<std::chrono::milliseconds>(kFirstPause * (1U << std::min(one.tries, 10U)), kLastPause);
    ++one.tries;
    queue_bytes_ += bytes;
    retries_.emplace(now + pause, std::move(one));
  }
}

void ClientLimiter::run() {
  for (;;) {
    std::vector<OpenedStream> batch;
    {
      const MutexLock lock(mutex_);
      const Clock& clock = *cluster_.options().clock;
      while (!stopping_) {
        while (!retries_.empty() && retries_.begin()->first <= clock.steady_now()) {
          queue_.push_back(std::move(retries_.begin()->second));
          retries_.erase(retries_.begin());
        }
        if (!queue_.empty()) break;
        if (retries_.empty()) {
          changed_.wait(mutex_);
        } else {
          changed_.wait_until(mutex_, retries_.begin()->first, clock);
        }
      }
      if (stopping_) return;
      const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(std::min(queue_.size(), kBatch));
      batch.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
      queue_.erase(queue_.begin(), end);
      for (const OpenedStream& one : batch) queue_bytes_ -= bytes_of(one.client);
    }
    observe::guarded("the limit of a client's streams", [&] { refresh_pending(limit(std::move(batch))); });
  }
}

std::vector<ClientLimiter::OpenedStream> ClientLimiter::limit(std::vector<OpenedStream> newcomers) {
  std::vector<cluster::ClientCommand> questions;
  for (const auto& [service, client, connection, tries] : newcomers)
    questions.push_back({service, client.user, client.client, client.origin, client.tenant});
  const std::vector<cluster::Cluster::Streams> remote_streams = cluster_.connections_of(questions);
  std::vector<bool> unread(newcomers.size());
  for (std::size_t i = 0; i < newcomers.size(); ++i) unread[i] = remote_streams[i].unread;
  for (const application::Service& service : services_) {
    std::vector<hub::ClientKey> clients;
    std::vector<std::size_t> numbers;
    for (std::size_t i = 0; i < newcomers.size(); ++i) {
      if (newcomers[i].service != service.sender->service() ||
          (remote_streams[i].ids.empty() && newcomers[i].tries == 0))
        continue;
      clients.push_back(newcomers[i].client);
      numbers.push_back(i);
    }
    if (clients.empty()) continue;
    hub::Hub& hub = service.sender->hub();
    std::vector<std::vector<ConnectionId>> streams = hub.directory().connections_of(clients);
    for (std::size_t k = 0; k < numbers.size(); ++k) {
      const OpenedStream& newcomer = newcomers[numbers[k]];
      // The stream may have ended meanwhile.
      if (newcomer.tries != 0 && std::ranges::find(streams[k], newcomer.connection) == streams[k].end()) {
        unread[numbers[k]] = false;
        continue;
      }
      const std::vector<ConnectionId>& theirs = remote_streams[numbers[k]].ids;
      streams[k].insert(streams[k].end(), theirs.begin(), theirs.end());
      end(service, streams_to_end(std::move(streams[k]), newcomer.connection, hub.options().client_max_connections));
    }
  }
  std::vector<OpenedStream> again;
  for (std::size_t i = 0; i < newcomers.size(); ++i) {
    if (unread[i]) again.push_back(std::move(newcomers[i]));
  }
  return again;
}

void ClientLimiter::end(const application::Service& service, const std::vector<ConnectionId>& ids) {
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

}  // namespace sse::pages
