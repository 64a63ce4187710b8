#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "event/json.h"

namespace sse::cluster {

/// What a node posts to another one, and what comes back at once. Either may hold any mixture.
struct MeshMessage {
  struct Topic {
    bool wanted = true;
    std::string name;
  };
  struct Command {
    std::uint64_t number = 0;  ///< of the asking node
    std::string topic;
    std::string bytes;
  };
  struct Answer {
    std::uint64_t number = 0;
    std::string bytes;
  };

  std::string from;                   ///< the bus' name of who wrote it
  std::string address;                ///< where that one is reached, HOST:PORT; empty: nowhere
  std::string secret;                 ///< to be shown there
  event::Json hello;                  ///< what it says about itself
  bool bye = false;                   ///< it is about to stop; in posts and responses
  std::chrono::milliseconds hold{0};  ///< who asks cannot be reached: answers are waited for so long and come at once

  // Of a post: what the writer wants to hear. Each post of a session has the next number, so that the reader knows
  // when it has missed one.
  std::string session;
  std::uint64_t number = 0;
  bool reset = false;     ///< forget what was said before
  bool complete = false;  ///< `topics` and those before are all there are
  std::vector<Topic> topics;

  // Of an answer.
  bool resync = false;                 ///< say it all again: something was missed
  std::vector<std::uint64_t> excused;  ///< commands to a topic the writer does not want

  std::vector<Command> commands;
  std::vector<Answer> answers;
};

/// One line of JSON, and behind it whatever is bytes.
std::string encode(const MeshMessage& message);
/// Throws Error(kInvalidArgument) for what no node of this version writes.
MeshMessage decode_mesh_message(std::string_view bytes);

}  // namespace sse::cluster
