#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "cluster/mesh_message.h"

namespace sse::cluster {

/// Which topics the other nodes want, as far as they have told. Not thread safe.
class PeerTopics {
 public:
  /// A peer that has told nothing for so long may want anything.
  explicit PeerTopics(std::chrono::milliseconds lease) : lease_(lease) {}

  /// Reads what `peer` told; false when something is missing in between, and it has to begin anew.
  bool read(const std::string& peer, const MeshMessage& post, SteadyTime now);
  /// The peer may want anything until it has told all anew, which it will be asked to.
  void doubt(const std::string& peer);
  void forget(const std::string& peer);

  /// Whether a command to the topic has to go to the peer: it wants it, or may.
  bool wants(const std::string& peer, const std::string& topic, SteadyTime now) const;
  /// When it last told something; never for one that is unknown.
  SteadyTime heard(const std::string& peer) const;

  std::size_t topics() const { return topics_.size(); }

 private:
  struct Peer {
    std::uint32_t key = 0;
    std::string session;
    std::uint64_t number = 0;
    bool complete = false;
    SteadyTime heard;
    std::unordered_set<const std::string*> topics;  // those it wants, as they are in topics_, where they stay put
  };

  void add(Peer& peer, const std::string& topic);
  void drop(Peer& peer, const std::string& topic);
  void drop_topics(Peer& peer);

  const std::chrono::milliseconds lease_;
  std::uint32_t next_key_ = 1;
  std::map<std::string, Peer> peers_;
  std::unordered_map<std::string, std::vector<std::uint32_t>> topics_;  // → keys of peers
};

}  // namespace sse::cluster
