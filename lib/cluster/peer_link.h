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
#include "cluster/mesh_message.h"
#include "cluster/told_topics.h"
#include "event/json.h"

namespace sse::cluster {

/// Carries posts to one node, one at a time.
class PostCarrier {
 public:
  virtual ~PostCarrier() = default;
  /// True with the response's body; else `problem` says what went wrong. Blocks.
  virtual bool post(const std::string& body, const std::string& secret, std::string& response,
                    std::string& problem) = 0;
  /// Breaks off a post under way. Any thread.
  virtual void interrupt() = 0;
};

/// One node's connection to another one: a thread that posts what its owner has for it, one post at a time, so that the
/// order stays, and makes the connection anew with growing pauses.
class PeerLink {
 public:
  struct Options {
    std::chrono::milliseconds connect_timeout{1000};
    std::chrono::milliseconds answer_timeout{2000};  ///< without a response for so long the node is given up
    std::chrono::milliseconds backoff_least{50};
    std::chrono::milliseconds backoff_most{1000};
    std::size_t most_queued = std::size_t{64} << 20;  ///< bytes that may wait for one node
    /// Makes what carries posts to an address; empty: HTTP does.
    std::function<std::unique_ptr<PostCarrier>(const std::string& address, const Options&)> carrier{};
  };
  enum class State : unsigned char { kNew, kUp, kDown };

  /// On the link's thread.
  class Owner {
   public:
    /// Waits for something to post until it is time for a ping; false to end. `secret`: what to show there.
    virtual bool write_post(PeerLink& link, MeshMessage& post, std::string& secret) = 0;
    virtual void took(PeerLink& link, const MeshMessage& post, MeshMessage response) = 0;
    virtual void failed(PeerLink& link, const MeshMessage& post, const std::string& why) = 0;

   protected:
    ~Owner() = default;
  };

  PeerLink(Owner& owner, const Options& options, std::string address, std::string secret, const Clock& clock);
  ~PeerLink();
  PeerLink(const PeerLink&) = delete;
  PeerLink& operator=(const PeerLink&) = delete;

  void start();
  /// Breaks off a post under way; write_post() has to return false, too.
  void interrupt();
  void join();

  /// Fit for showing.
  std::string label() const { return !name.empty() ? name : !id.empty() ? id : address; }

  const std::string address;

  // Guarded by the owner's mutex.
  std::string secret;
  std::string id;      // what discovery calls it
  std::string name;    // what it calls itself
  event::Json hello;   // what it said last
  SteadyTime heard{};  // its last response
  const SteadyTime since;
  State state = State::kNew;
  std::string why;            // while kDown
  bool departed = false;      // it has said that it stops
  bool posted_since = false;  // a response to what was posted before that takes nothing back
  bool farewell = false;      // say so of this node, then end
  bool ending = false;
  bool finished = false;     // posts nothing any more: its thread is about to end
  bool announced = false;    // it knows all topics
  std::size_t attempts = 0;  // failed ones in a row
  SteadyTime due{};          // of the next ping or attempt
  ToldTopics told;
  std::uint64_t saying = 0;  // which hello is in the post under way
  std::uint64_t said = 0;    // which one it knows
  std::deque<MeshMessage::Command> commands;
  std::deque<MeshMessage::Answer> answers;
  std::size_t queued = 0;  // bytes of both
  CondVar wake;

 private:
  void run();

  Owner& owner_;
  const Options options_;
  const std::unique_ptr<PostCarrier> carrier_;
  std::thread thread_;
};

/// Where a node's bus takes posts, and where it tells anybody which node it is.
inline constexpr const char* kMeshPath = "/cluster/v1/post";
inline constexpr const char* kWhoPath = "/cluster/v1/who";

}  // namespace sse::cluster
