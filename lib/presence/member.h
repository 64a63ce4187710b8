#pragma once

#include <compare>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sse::presence {

/// A member of a channel: a user of a tenant, with however many streams.
struct MemberId {
  std::string tenant;
  std::string user;

  auto operator<=>(const MemberId&) const = default;
};

struct Member {
  MemberId id;
  std::string profile{};  ///< what others may know of the user: a JSON object as text; empty: nothing

  /// Approximate size in an event.
  std::size_t bytes() const { return 40 + id.tenant.size() + id.user.size() + profile.size(); }
};

/// The most bytes of Member::profile.
inline constexpr std::size_t kMaxMemberProfile = 1024;

/// A channel whose size swings around a limit must not change between lists and numbers each time: lists come back at
/// this share of the limit.
inline constexpr std::size_t kBackToListsPercent = 90;

/// The field `presence` of a user's profile: the only part that other users see. Empty if it is no object or larger
/// than kMaxMemberProfile.
std::string member_profile(std::string_view profile);

/// How the members of a channel on one node have changed since its last update, or all of them.
struct RosterUpdate {
  bool all = false;                    ///< `joined` are all members, or `count` is their number
  std::optional<std::size_t> count{};  ///< set: there are too many to be listed
  std::vector<Member> joined{};        ///< also those that were there and have another profile now
  std::vector<MemberId> left{};

  bool empty() const { return !all && !count && joined.empty() && left.empty(); }
};

}  // namespace sse::presence
