#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "cluster/mesh/mesh_message.h"

namespace sse::cluster {

/// The subscriptions that other nodes have announced. Not thread safe.
class PeerSubscriptions {
 public:
  /// A peer that has been silent for longer may be subscribed to anything.
  explicit PeerSubscriptions(std::chrono::milliseconds lease) : lease_(lease) {}

  /// Applies an announcement of `peer`; false if there is a gap, so that the peer has to start over.
  bool read(const std::string& peer, const MeshMessage& post, SteadyTime now);
  /// The peer may be subscribed to anything until it has announced all topics again, as the next response requests.
  void invalidate(const std::string& peer);
  void forget(const std::string& peer);

  /// Whether a command to the topic must go to the peer, because it is subscribed or may be.
  bool wants(const std::string& peer, const std::string& topic, SteadyTime now) const;
  /// Time of its most recent announcement; the epoch for an unknown peer.
  SteadyTime last_heard(const std::string& peer) const;

  std::size_t topics() const { return topics_.size(); }

 private:
  struct Peer {
    std::uint32_t key = 0;
    std::string session;
    std::uint64_t number = 0;
    bool complete = false;
    SteadyTime last_heard;
    std::unordered_set<const std::string*> topics;  // pointers to the keys of topics_, which are stable
  };

  void add(Peer& peer, const std::string& topic);
  void drop(Peer& peer, const std::string& topic);
  void drop_topics(Peer& peer);

  const std::chrono::milliseconds lease_;
  std::uint32_t next_key_ = 1;
  std::map<std::string, Peer> peers_;
  std::unordered_map<std::string, std::vector<std::uint32_t>> topics_;  // → keys of subscribed peers
};

}  // namespace sse::cluster
