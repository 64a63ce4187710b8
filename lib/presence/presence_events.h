#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "presence/member.h"

namespace sse::presence {

/// An encoded event about the members of a channel. It has no id: it is not repeated to a client that resumes, which
/// gets a snapshot instead.
struct PresenceEvent {
  enum class Kind : unsigned char { kSnapshot, kCount, kJoin, kLeave };
  Kind kind = Kind::kSnapshot;
  std::uint64_t version = 0;  ///< of the channel on this node; each event has a greater one than that before it
  std::string text{};         ///< as it goes into a stream
};

// Data of all: `channel`, `version`, and `count`, the number of members after the event. Of `members` each has `user`,
// `tenant` if it is in one, and `profile` if there is one.

/// `sse-presence` with all members.
std::string encode_snapshot(const std::string& channel, std::uint64_t version, const std::vector<Member>& members);
/// `sse-presence` without members: there are too many to list them.
std::string encode_count(const std::string& channel, std::uint64_t version, std::size_t count);
/// `sse-join` with those that have joined, or have another profile now.
std::string encode_join(const std::string& channel, std::uint64_t version, const std::vector<Member>& members,
                        std::size_t count);
/// `sse-presence` with only `channel` and `refused`, the reason why the stream does not watch the channel.
std::string encode_refused(const std::string& channel, std::string_view reason);
/// `sse-leave`; its members have no profile.
std::string encode_leave(const std::string& channel, std::uint64_t version, const std::set<MemberId>& members,
                         std::size_t count);

}  // namespace sse::presence
