#include "cluster/mesh/peer_subscriptions.h"

#include <algorithm>

#include "base/step_count.h"

namespace sse::cluster {

bool PeerSubscriptions::read(const std::string& name, const MeshMessage& post, SteadyTime now) {
  Peer& peer = peers_[name];
  if (peer.key == 0) peer.key = next_key_++;
  if (post.reset) {
    drop_topics(peer);
    peer.session = post.session;
    peer.number = post.number;
    peer.complete = false;
  } else if (post.session != peer.session || post.number != peer.number + 1) {
    peer.complete = false;
    peer.session.clear();
    return false;
  }
  peer.number = post.number;
  peer.last_heard = now;
  for (const MeshMessage::Topic& topic : post.topics) {
    if (topic.wanted) {
      add(peer, topic.name);
    } else {
      drop(peer, topic.name);
    }
  }
  // Stays true within a session: after the complete list only changes follow.
  peer.complete = peer.complete || post.complete;
  return true;
}

void PeerSubscriptions::add(Peer& peer, const std::string& topic) {
  const auto entry = topics_.try_emplace(topic).first;
  if (peer.topics.insert(&entry->first).second) entry->second.push_back(peer.key);
}

void PeerSubscriptions::drop(Peer& peer, const std::string& topic) {
  count_steps();
  const auto entry = topics_.find(topic);
  if (entry == topics_.end() || peer.topics.erase(&entry->first) == 0) return;
  std::erase(entry->second, peer.key);
  if (entry->second.empty()) topics_.erase(entry);
}

void PeerSubscriptions::drop_topics(Peer& peer) {
  while (!peer.topics.empty()) drop(peer, **peer.topics.begin());
}

void PeerSubscriptions::invalidate(const std::string& name) {
  const auto found = peers_.find(name);
  if (found == peers_.end()) return;
  found->second.complete = false;
  found->second.session.clear();
}

void PeerSubscriptions::forget(const std::string& name) {
  const auto found = peers_.find(name);
  if (found == peers_.end()) return;
  drop_topics(found->second);
  peers_.erase(found);
}

bool PeerSubscriptions::wants(const std::string& name, const std::string& topic, SteadyTime now) const {
  const auto peer = peers_.find(name);
  if (peer == peers_.end() || !peer->second.complete || now - peer->second.last_heard > lease_) return true;
  const auto found = topics_.find(topic);
  return found != topics_.end() && std::ranges::find(found->second, peer->second.key) != found->second.end();
}

SteadyTime PeerSubscriptions::last_heard(const std::string& name) const {
  const auto peer = peers_.find(name);
  return peer == peers_.end() ? SteadyTime{} : peer->second.last_heard;
}

}  // namespace sse::cluster
