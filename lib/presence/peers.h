#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/event_loop.h"
#include "presence/peer_messages.h"
#include "presence/remote_presence.h"

namespace sse::presence {

/// Which channels the other nodes of a cluster watch, and what they know of those that this one watches. Messages may
/// be lost: a node that did not get one gets the whole list again, and sends its own in return. Loop thread only.
class Peers {
 public:
  /// How often the list of live nodes is compared with the one before, and what was lost is sent again.
  static constexpr std::chrono::milliseconds kInterval{1000};

  /// What happens at other nodes. Called on the loop.
  class Owner {
   public:
    /// The node watches the channel from now on and knows nothing of its members, or watches it no longer. Returns
    /// false if this node follows no more channels.
    virtual bool peer_watches(const std::string& node, const ChannelKey& channel, bool watches) = 0;
    virtual void peer_members(const std::string& node, const MembersMessage& message) = 0;
    /// The node has been gone for the grace: so are its members.
    virtual void peer_lost(const std::string& node) = 0;
    /// The channels that this node watches.
    virtual std::vector<ChannelKey> watched_channels() const = 0;

   protected:
    ~Owner() = default;
  };

  /// The references must outlive the loop's thread.
  Peers(net::EventLoop& loop, RemotePresence& remote, Owner& owner, std::chrono::milliseconds grace)
      : loop_(loop), remote_(remote), owner_(owner), grace_(grace) {}
  Peers(const Peers&) = delete;
  Peers& operator=(const Peers&) = delete;

  /// Looks for the nodes, now and from then on.
  void start();
  /// This node watches the channel, or does so no longer.
  void tell(const ChannelKey& channel, bool watches);
  /// `failed` is called on the loop if the message does not arrive.
  void send(const std::string& node, const MembersMessage& message, std::function<void()> failed);
  void received(const std::string& node, const std::string& bytes);
  /// Messages of other nodes may have been lost.
  void synchronize();
  /// This node can follow another channel: those whose channels it has refused name them again, all of them.
  void can_take_more();
  bool any() const { return !alive_.empty(); }

 private:
  void look();
  void meet(const std::string& node);
  void send_all(const std::string& node);
  void send(const std::string& node, std::string bytes, std::function<void()> failed);
  void take(const std::string& node, const WatchMessage& message);
  void forget_watches(const std::string& node);

  net::EventLoop& loop_;
  RemotePresence& remote_;
  Owner& owner_;
  const std::chrono::milliseconds grace_;
  std::set<std::string> alive_;
  std::set<std::string> behind_;                         // of alive_: they may not know all that this node watches
  std::map<std::string, SteadyTime> lost_;               // with when their members leave
  std::map<std::string, std::set<ChannelKey>> watches_;  // by node: those that this one follows for it
  std::set<std::string> refused_;                        // of alive_: they watch further ones
};

}  // namespace sse::presence
