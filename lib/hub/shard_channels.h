#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "event/frame.h"
#include "hub/channel_catch_up.h"
#include "hub/channel_review.h"
#include "hub/connection.h"
#include "hub/connection_registry.h"
#include "hub/hub_delegate.h"
#include "hub/hub_metrics.h"
#include "hub/hub_options.h"
#include "hub/sent_once.h"
#include "hub/shard_presence.h"
#include "net/event_loop.h"

namespace sse::hub {

/// The channels of the streams of one shard: joining and leaving them while a stream is open, the rules under which a
/// stream stays, the marks of events, and events that were sent to several channels of a stream. Loop thread only.
class ShardChannels {
 public:
  /// What it needs of the shard.
  class Streams {
   public:
    /// The stream takes what was sent before.
    virtual void finish_earlier(Connection& connection) = 0;
    virtual bool append(Connection& connection, const event::FrameRef& frame) = 0;
    /// The stream gets what is pending for these channels, and for those of `catch_ups` what is retained, too. It sets
    /// ChannelCatchUp::until.
    virtual void replay_channels(Connection& connection, const std::vector<std::string>& channels,
                                 std::vector<ChannelCatchUp> catch_ups) = 0;

   protected:
    ~Streams() = default;
  };

  /// References must outlive this.
  ShardChannels(Streams& streams, net::EventLoop& loop, ConnectionRegistry& registry, ShardPresence& presence,
                const HubOptions& options, HubMetrics& metrics, HubDelegate& delegate)
      : streams_(streams),
        loop_(loop),
        registry_(registry),
        presence_(presence),
        options_(options),
        metrics_(metrics),
        delegate_(delegate) {}

  // Joining and leaving.

  /// The connection joins channels and gets what is pending for them. `version`: of the rules by which it may.
  std::vector<Subscription> subscribe(Connection& connection, const std::vector<JoinedChannel>& channels,
                                      std::uint32_t version);
  /// It leaves a channel. Returns whether it was in it.
  bool unsubscribe(Connection& connection, const std::string& channel);
  /// The rules have changed: for review(), and for streams that join by earlier rules.
  void set_review(std::shared_ptr<const ChannelReview> review) {
    loop_.assert_in_loop_thread();
    review_ = std::move(review);
  }
  /// Takes the connection out of the channels that the rules no longer allow it, and sends it kChannelRefused for each.
  void review(Connection& connection);
  /// The connection has joined by the rules of this version, which may be earlier ones.
  void joined_by(Connection& connection, std::uint32_t version) {
    if (review_ && version != review_->version) review(connection);
  }

  // What goes into the streams.

  /// The frame as a stream with marks gets it: the same one for all of them.
  const event::FrameRef& marked(const event::FrameRef& frame);
  /// Whether a stream in several channels has got an event to several of them, with this id, through another one; the
  /// same for the targets of a union. A message that it has is pending for this channel or target, too.
  bool has_through_other(Connection& connection, std::uint64_t event, const event::Frame& frame);
  /// It has got it through this one.
  void sent_once(Connection& connection, std::uint64_t event, const event::Frame& frame);
  /// Notes for which channel a message with a channel went into the stream.
  void note_sent(Connection& connection, const event::Frame& frame);
  /// A message in flight on the stream is pending for a channel that it has joined since, or for another of its names:
  /// it confirms it for both.
  static void note_further(Connection& connection, const event::Frame& frame);
  /// Forgets what no event needs any more.
  void expire();

 private:
  void leave(Connection& connection, const std::string& channel);
  void revoke(Connection& connection, const std::string& channel);

  Streams& streams_;
  net::EventLoop& loop_;
  ConnectionRegistry& registry_;
  ShardPresence& presence_;
  const HubOptions& options_;
  HubMetrics& metrics_;
  HubDelegate& delegate_;

  std::unordered_map<std::uint64_t, SentOnce> sent_once_;  // by connection id
  event::FrameRef unmarked_;                               // the last one that a stream with marks got, and what it got
  event::FrameRef marked_;
  std::shared_ptr<const ChannelReview> review_;  // null: the rules are those of the start
};

}  // namespace sse::hub
