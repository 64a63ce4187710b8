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

#include "cluster/mesh_message.h"

namespace sse::cluster {

/// One subscribe() that waits until every peer knows of it.
struct TopicBarrier {
  std::size_t open = 0;  ///< peers that have not confirmed yet
  bool good = true;
  std::function<void(bool)> standing;
};
using TopicBarriers = std::vector<std::shared_ptr<TopicBarrier>>;

/// What one peer has yet to be told of the topics this node wants: all of them once, then what changes. Where it begins
/// anew it copies nothing: it goes through the owner's topics a piece at a time, as posts take them, so that a peer
/// that cannot be reached costs the same however many topics there are. Not thread safe.
class ToldTopics {
 public:
  /// From now on another session, which begins with all topics.
  void start_over();
  /// After the owner's topics have changed.
  void add(bool wanted, const std::vector<std::string>& topics);
  /// `barrier` counts one less as soon as everything added so far is confirmed or the peer is lost.
  void wait(std::shared_ptr<TopicBarrier> barrier);

  /// Something is to be said, or a barrier waits.
  bool urgent() const { return walking_ || !changes_.empty() || !barriers_.empty(); }
  /// Puts the next piece into a post, of at most `most` topics. `all`: the topics the owner wants now.
  void write(MeshMessage& post, const std::set<std::string>& all, std::size_t most = kTopicsInOnePost);
  /// The peer has read what was written last. Appends the barriers that are through.
  void confirmed(TopicBarriers& through);
  /// It cannot be told now: all barriers fail. Another session begins with start_over().
  void lost(TopicBarriers& through);
  /// The peer knows all there is, or will with the next post.
  bool complete() const { return begun_ && !walking_ && changes_.empty(); }

  static constexpr std::size_t kTopicsInOnePost = 20'000;

 private:
  void reach(std::uint64_t position, bool good, TopicBarriers& through);

  std::string session_;
  std::uint64_t number_ = 0;
  bool begun_ = false;
  bool walking_ = false;  // not all topics have been written in this session; what changes is written after them
  std::string walked_;    // the last of those that have; empty: none
  std::deque<MeshMessage::Topic> changes_;
  std::uint64_t appended_ = 0;
  std::uint64_t written_ = 0;
  std::deque<std::pair<std::uint64_t, std::shared_ptr<TopicBarrier>>> barriers_;
};

}  // namespace sse::cluster
