#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/mutex.h"
#include "cluster/mesh/mesh_message.h"
#include "cluster/mesh/subscription_announcer.h"
#include "event/json.h"

namespace sse::cluster {

class MeshTls;

/// Sends posts to one node, one at a time.
class PostCarrier {
 public:
  virtual ~PostCarrier() = default;
  /// Returns true with the response's body, else sets `problem`. Blocks.
  virtual bool post(const std::string& body, const std::string& secret, std::string& response,
                    std::string& problem) = 0;
  /// Aborts a post in progress. Any thread.
  virtual void interrupt() = 0;
};

/// One node's connection to a peer: a thread that sends the posts of its owner, one at a time so that their order is
/// kept, and reconnects with exponential backoff.
class PeerLink {
 public:
  struct Options {
    std::chrono::milliseconds connect_timeout{1000};
    std::chrono::milliseconds handshake_timeout{3000};  ///< of TLS
    std::chrono::milliseconds answer_timeout{2000};     ///< the peer is considered down if a response takes longer
    std::chrono::milliseconds backoff_least{50};
    std::chrono::milliseconds backoff_most{1000};
    std::size_t max_queued = std::size_t{64} << 20;  ///< maximum bytes queued for one node
    std::shared_ptr<MeshTls> tls{};                  ///< null: in clear
    bool allow_clear = false;  ///< also to nodes that are not on this machine, whom the secret then reaches in clear
    /// Creates the carrier for an address; empty: HTTP.
    std::function<std::unique_ptr<PostCarrier>(const std::string& address, const Options&)> forwarder{};
  };
  enum class State : unsigned char { kNew, kUp, kDown };

  /// Called on the link's thread.
  class Owner {
   public:
    /// Waits until there is something to post or a ping is due; false ends the thread. `secret`: what to show there.
    virtual bool write_post(PeerLink& link, MeshMessage& post, std::string& secret) = 0;
    virtual void on_response(PeerLink& link, const MeshMessage& post, MeshMessage response) = 0;
    virtual void failed(PeerLink& link, const MeshMessage& post, const std::string& why) = 0;

   protected:
    ~Owner() = default;
  };

  PeerLink(Owner& owner, const Options& options, std::string address, std::string secret, const Clock& clock);
  ~PeerLink();
  PeerLink(const PeerLink&) = delete;
  PeerLink& operator=(const PeerLink&) = delete;

  void start();
  /// Aborts a post in progress; write_post() must return false from then on.
  void interrupt();
  void join();

  /// For display.
  std::string label() const { return !name.empty() ? name : !id.empty() ? id : address; }

  const std::string address;

  // Guarded by the owner's mutex.
  std::string secret;
  std::string id;           // its server id, from discovery
  std::string name;         // its bus name, from its responses
  event::Json hello;        // its most recent hello
  SteadyTime last_heard{};  // time of its most recent response
  const SteadyTime since;
  State state = State::kNew;
  std::string why;            // while kDown
  bool departed = false;      // it has sent a leave notice
  bool posted_since = false;  // a post was written since; only a response to that revokes it
  bool leave_notice = false;  // send a leave notice, then end
  bool ending = false;
  bool finished = false;     // it sends no more posts: its thread is about to end
  bool announced = false;    // the peer knows all topics
  std::size_t attempts = 0;  // failed attempts in a row
  SteadyTime due{};          // of the next ping or attempt
  SubscriptionAnnouncer announcer;
  std::uint64_t sent_hello = 0;   // number of the hello in the current post
  std::uint64_t acked_hello = 0;  // number of the hello that the peer knows
  std::deque<MeshMessage::Command> commands;
  std::deque<MeshMessage::Answer> answers;
  std::size_t queued = 0;  // bytes in both queues
  CondVar wake;

 private:
  void run();

  Owner& owner_;
  const Options options_;
  const std::unique_ptr<PostCarrier> carrier_;
  std::thread thread_;
};

/// The bytes that an item takes in a queue and in a post.
inline std::size_t size_of(const MeshMessage::Command& command) {
  constexpr std::size_t kOverhead = 32;
  return command.topic.size() + command.bytes.size() + kOverhead;
}
inline std::size_t size_of(const MeshMessage::Answer& answer) {
  constexpr std::size_t kOverhead = 32;
  return answer.bytes.size() + kOverhead;
}

/// The paths of a node's bus: for posts, and for the node information that needs no secret.
inline constexpr const char* kMeshPath = "/cluster/v1/post";
inline constexpr const char* kNodeInfoPath = "/cluster/v1/who";

}  // namespace sse::cluster
