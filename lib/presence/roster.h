#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/clock.h"
#include "presence/member.h"

namespace sse::presence {

/// The members of one channel on this node. A member whose last stream has left remains one until its grace is over, so
/// that a reconnect is no change. Not thread safe.
class Roster {
 public:
  /// The most members without a stream; of more, those are removed that have been so longest.
  static constexpr std::size_t kMaxLeaving = 20'000;

  /// `max_listed`: with more members an update has only their number.
  explicit Roster(std::size_t max_listed) : max_listed_(max_listed) {}
  Roster(const Roster&) = delete;
  Roster& operator=(const Roster&) = delete;

  /// A stream of the member has joined.
  void joined(const MemberId& id, std::string profile);
  /// A stream of the member has left; the last one takes the member with it at `gone`.
  void left(const MemberId& id, SteadyTime gone);
  /// Removes the members whose grace is over.
  void expire(SteadyTime now);
  /// When the next one's is.
  std::optional<SteadyTime> next_expiry() const;

  /// What has changed since the last call.
  RosterUpdate take_update();
  /// All members. Does not change what take_update() returns.
  RosterUpdate all() const;
  std::size_t size() const { return members_.size(); }

 private:
  struct Entry {
    std::string profile;
    std::uint32_t streams = 0;
    SteadyTime gone{};   // with no streams
    bool known = false;  // an update has told that it joined
  };

  bool counts_only() const;

  const std::size_t max_listed_;
  std::map<MemberId, Entry> members_;
  std::set<std::pair<SteadyTime, MemberId>> leaving_;
  // Since the last update; empty while that was only a number.
  std::set<MemberId> joined_;
  std::set<MemberId> left_;
  bool listed_ = true;       // by the last update
  std::size_t counted_ = 0;  // likewise, if not listed
};

}  // namespace sse::presence
