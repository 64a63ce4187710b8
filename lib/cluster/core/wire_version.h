#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"

/// The version of everything that nodes send to each other: the frames on Redis, the posts of a mesh, and the commands
/// and replies in them. Readers ignore fields that they do not know, so only a change that an older reader would
/// misunderstand needs a new version. `tests/unit/cluster/wire_frames_test.cc` has the exact bytes of this one.
namespace sse::cluster {

inline constexpr std::uint64_t kWireVersion = 2;
/// The oldest version that this program understands.
inline constexpr std::uint64_t kOldestWireVersion = 2;
/// The version of nodes and frames that state none: those of sse-server 0.1.
inline constexpr std::uint64_t kUnstatedWireVersion = 1;

/// Why a node with this version is refused, one sentence; empty if it is not. `node`: its id or its bus name.
std::string why_refused(std::uint64_t version, const std::string& node);

/// Thrown by decoders for a frame of a version that this program does not understand.
class WireRefusal final : public Error {
 public:
  WireRefusal(std::uint64_t version, const std::string& node)
      : Error(ErrorCode::kInvalidArgument, why_refused(version, node)), node_(node), version_(version) {}

  /// The id or bus name of the sender.
  const std::string& node() const { return node_; }
  std::uint64_t version() const { return version_; }

 private:
  std::string node_;
  std::uint64_t version_;
};

/// Throws WireRefusal for a version that this program does not understand.
void require_wire(std::uint64_t version, const std::string& node);

}  // namespace sse::cluster
