// Tracker: what other nodes of a cluster watch and tell.
#include <utility>

#include "presence/tracker.h"

namespace sse::presence {

void Tracker::received(const std::string& node, std::string bytes) {
  if (!peers_) return;
  loop_.post([this, node, bytes = std::move(bytes)] { peers_->received(node, bytes); });
}

void Tracker::synchronize() {
  if (!peers_) return;
  loop_.post([this] { peers_->synchronize(); });
}

bool Tracker::peer_watches(const std::string& node, const ChannelKey& key, bool watches) {
  Channel* const known = find(key);
  if (!watches) {
    if (known == nullptr || known->peers.erase(node) == 0) return true;
    known->uninformed.erase(node);
    if (known->peers.empty() && known->watchers == 0) rest(*known);
    return true;
  }
  if (!services_.contains(key.first)) return false;
  if (known == nullptr && !take_place()) {
    note_refused(refused_nodes_, key);
    return false;
  }
  Channel& channel = known != nullptr ? *known : open(key, true);
  channel.peers.insert(node);
  channel.uninformed.insert(node);
  run_at(channel, channel.next);
  return true;
}

void Tracker::inform(Channel& channel, const std::string& node, RosterUpdate update) {
  peers_->send(node, {channel.key, std::move(update)}, [this, node, key = channel.key] {
    Channel* const told = find(key);
    if (told == nullptr || !told->peers.contains(node)) return;
    told->uninformed.insert(node);
    run_at(*told, loop_.now() + Peers::kInterval);
  });
}

void Tracker::peer_members(const std::string& node, const MembersMessage& message) {
  Channel* const channel = find(message.channel);
  if (channel == nullptr || !channel->view) return;
  channel->view->apply(node, message.update);
  run_at(*channel, channel->next);
}

void Tracker::peer_lost(const std::string& node) {
  for (const auto& [key, channel] : channels_) {
    if (!channel->view || !channel->view->has(node)) continue;
    channel->view->remove(node);
    run_at(*channel, channel->next);
  }
}

std::vector<ChannelKey> Tracker::watched_channels() const {
  std::vector<ChannelKey> watched;
  for (const auto& [key, channel] : channels_) {
    if (channel->view) watched.push_back(key);
  }
  return watched;
}

}  // namespace sse::presence
