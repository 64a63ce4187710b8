#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "event/json.h"

namespace sse::cluster {

/// The body of a post between nodes, and of its response. Each may contain any combination of parts.
struct MeshMessage {
  struct Topic {
    bool wanted = true;
    std::string name;
  };
  struct Command {
    std::uint64_t number = 0;  ///< assigned by the sending node
    std::string topic;
    std::string bytes;
  };
  struct Answer {
    std::uint64_t number = 0;
    std::string bytes;
  };

  std::string from;                   ///< bus name of the writer
  std::string address;                ///< where the writer is reachable, HOST:PORT; empty: not reachable
  std::string secret;                 ///< the secret to show there
  event::Json hello;                  ///< what the writer publishes about itself
  bool stopping = false;              ///< the writer is about to stop; in posts and responses
  std::chrono::milliseconds hold{0};  ///< the sender is unreachable: wait so long for replies to put into the response

  // In a post: the writer's subscriptions. The posts of a session are numbered consecutively, so that the reader
  // detects a gap.
  std::string session;
  std::uint64_t number = 0;
  bool reset = false;     ///< discard earlier announcements
  bool complete = false;  ///< with `topics` the announcement is complete
  std::vector<Topic> topics;

  // In a response.
  bool resync = false;                 ///< announce all topics again, because of a gap
  std::vector<std::uint64_t> excused;  ///< commands to topics without a subscription

  std::vector<Command> commands;
  std::vector<Answer> answers;
};

/// Encodes as one line of JSON, followed by binary data: see mesh_message.cc. The line has the wire version.
std::string encode(const MeshMessage& message);
/// Ignores fields of that line and further numbers of an item that it does not know. Throws WireRefusal, and
/// Error(kInvalidArgument) for bytes that no node of this version writes.
MeshMessage decode_mesh_message(std::string_view bytes);

}  // namespace sse::cluster
