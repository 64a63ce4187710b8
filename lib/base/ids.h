#pragma once

#include <atomic>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"

namespace sse {

/// A string type for one kind of name, so that a token cannot be passed where a user id is expected.
template <class Tag>
class StringId {
 public:
  StringId() = default;
  explicit StringId(std::string value) : value_(std::move(value)) {}

  const std::string& str() const { return value_; }
  bool empty() const { return value_.empty(); }
  friend auto operator<=>(const StringId&, const StringId&) = default;

 private:
  std::string value_;
};

using UserId = StringId<struct UserIdTag>;
using TenantId = StringId<struct TenantIdTag>;
/// A secret: compare with constant_time_equal for access checks, show with mask_secret, never log.
using AccessToken = StringId<struct AccessTokenTag>;
using ChannelName = StringId<struct ChannelNameTag>;
using ServiceName = StringId<struct ServiceNameTag>;

/// A 63-bit number that grows with time and is unique across nodes and restarts (see IdGenerator). 0 means "none".
template <class Tag>
class NumericId {
 public:
  constexpr NumericId() = default;
  constexpr explicit NumericId(std::uint64_t value) : value_(value) {}

  constexpr std::uint64_t value() const { return value_; }
  constexpr bool valid() const { return value_ != 0; }
  /// Decimal. In JSON ids are strings: they exceed what a JavaScript number holds (2^53).
  std::string str() const { return std::to_string(value_); }
  friend constexpr auto operator<=>(const NumericId&, const NumericId&) = default;

 private:
  std::uint64_t value_ = 0;
};

using ConnectionId = NumericId<struct ConnectionIdTag>;
using MessageId = NumericId<struct MessageIdTag>;

/// Reads a decimal id of 1 to 19 digits, no sign or spaces, not 0 and at most 2^63-1; nullopt for anything else.
std::optional<std::uint64_t> parse_id(std::string_view text);

/// Generates ids of 41 bits milliseconds since 2024-01-01, 10 bits node, 12 bits sequence. The ids of one generator
/// strictly increase whatever the wall clock does: when it stands still or goes back, the sequence continues from the
/// last id. Thread safe, lock free.
class IdGenerator {
 public:
  /// `clock` must outlive this. Of `node` the low 10 bits are used. Every id is greater than `floor` (the largest id on
  /// disk from an earlier run).
  explicit IdGenerator(unsigned node, std::uint64_t floor = 0, const Clock& clock = Clock::system());

  std::uint64_t next() { return next_at(clock_.wall_now()); }
  /// The clock of this generator, which its users share.
  const Clock& clock() const { return clock_; }
  /// For tests: as next() at civil time `now`.
  std::uint64_t next_at(WallTime now);
  /// From now on every id is greater than `floor`.
  void raise_floor(std::uint64_t floor);

  /// The civil time at which an id was generated, or later when the sequence ran ahead of the clock.
  static WallTime time_of(std::uint64_t id);

 private:
  const Clock& clock_;
  std::uint64_t node_bits_;
  std::atomic<std::uint64_t> last_;
};

}  // namespace sse

template <class Tag>
struct std::hash<sse::StringId<Tag>> {
  std::size_t operator()(const sse::StringId<Tag>& id) const { return std::hash<std::string>{}(id.str()); }
};
template <class Tag>
struct std::hash<sse::NumericId<Tag>> {
  std::size_t operator()(const sse::NumericId<Tag>& id) const { return std::hash<std::uint64_t>{}(id.value()); }
};
