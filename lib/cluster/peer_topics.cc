#include "cluster/peer_topics.h"

#include <algorithm>
#include <iterator>

namespace sse::cluster {

bool PeerTopics::read(const std::string& name, const MeshMessage& post, SteadyTime now) {
  Peer& peer = peers_[name];
  if (peer.key == 0) peer.key = next_key_++;
  if (post.reset) {
    drop_topics(peer.key);
    peer.session = post.session;
    peer.number = post.number;
    peer.complete = false;
  } else if (post.session != peer.session || post.number != peer.number + 1) {
    peer.complete = false;
    peer.session.clear();
    return false;
  }
  peer.number = post.number;
  peer.heard = now;
  for (const MeshMessage::Topic& topic : post.topics) {
    if (topic.wanted) {
      std::vector<std::uint32_t>& keys = topics_[topic.name];
      if (std::ranges::find(keys, peer.key) == keys.end()) keys.push_back(peer.key);
    } else if (const auto found = topics_.find(topic.name); found != topics_.end()) {
      std::erase(found->second, peer.key);
      if (found->second.empty()) topics_.erase(found);
    }
  }
  // Never back to false within a session: what follows are changes.
  peer.complete = peer.complete || post.complete;
  return true;
}

void PeerTopics::drop_topics(std::uint32_t key) {
  for (auto entry = topics_.begin(); entry != topics_.end();) {
    std::erase(entry->second, key);
    entry = entry->second.empty() ? topics_.erase(entry) : std::next(entry);
  }
}

void PeerTopics::doubt(const std::string& name) {
  const auto found = peers_.find(name);
  if (found == peers_.end()) return;
  found->second.complete = false;
  found->second.session.clear();
}

void PeerTopics::forget(const std::string& name) {
  const auto found = peers_.find(name);
  if (found == peers_.end()) return;
  drop_topics(found->second.key);
  peers_.erase(found);
}

bool PeerTopics::wants(const std::string& name, const std::string& topic, SteadyTime now) const {
  const auto peer = peers_.find(name);
  if (peer == peers_.end() || !peer->second.complete || now - peer->second.heard > lease_) return true;
  const auto found = topics_.find(topic);
  return found != topics_.end() && std::ranges::find(found->second, peer->second.key) != found->second.end();
}

SteadyTime PeerTopics::heard(const std::string& name) const {
  const auto peer = peers_.find(name);
  return peer == peers_.end() ? SteadyTime{} : peer->second.heard;
}

}  // namespace sse::cluster
