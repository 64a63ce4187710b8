#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/mesh/mesh_message.h"

namespace sse::cluster {

/// A subscribe() call that waits until all peers know of it.
struct TopicBarrier {
  std::size_t open = 0;  ///< peers that have not confirmed yet
  bool good = true;
  std::function<void(bool)> on_subscribed;
};
using TopicBarriers = std::vector<std::shared_ptr<TopicBarrier>>;

/// Announces this node's subscriptions to one peer: first all topics, then changes. Starting over copies nothing: it
/// iterates over the owner's topics in pieces as posts are sent, so that an unreachable peer costs the same however
/// many topics there are. Not thread safe.
class SubscriptionAnnouncer {
 public:
  /// Begins a new session, which starts with all topics.
  void start_over();
  /// To be called after the owner's topics have changed.
  void add(bool wanted, const std::vector<std::string>& topics);
  /// Decrements `barrier` when the peer has confirmed everything added so far, or is lost.
  void wait(std::shared_ptr<TopicBarrier> barrier);

  /// Whether there is something to announce, or a barrier waits.
  bool urgent() const { return listing_all_ || !changes_.empty() || !barriers_.empty(); }
  /// Adds the next piece, at most `limit` topics, to a post. `all`: the owner's current topics.
  void write(MeshMessage& post, const std::set<std::string>& all, std::size_t limit = kTopicsInOnePost);
  /// The peer has read the most recent post. Appends the barriers that are complete.
  void confirmed(TopicBarriers& completed);
  /// The peer is unreachable: all barriers fail. start_over() begins another session.
  void lost(TopicBarriers& completed);
  /// Whether the peer knows all topics, or will with the next post.
  bool complete() const { return begun_ && !listing_all_ && changes_.empty(); }

  static constexpr std::size_t kTopicsInOnePost = 20'000;

 private:
  void reach(std::uint64_t position, bool good, TopicBarriers& completed);

  std::string session_;
  std::uint64_t number_ = 0;
  bool begun_ = false;
  bool listing_all_ = false;  // not all topics have been written in this session; changes follow after them
  std::string last_listed_;   // the last topic that has been written; empty: none
  std::deque<MeshMessage::Topic> changes_;
  std::uint64_t appended_ = 0;
  std::uint64_t written_ = 0;
  std::deque<std::pair<std::uint64_t, std::shared_ptr<TopicBarrier>>> barriers_;
};

}  // namespace sse::cluster
