#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace sse {

/// A string type for one kind of name, so that a token cannot be passed where a user id is expected.
template <class Tag>
class StringId {
 public:
  StringId() = default;
  /// Any string, also an empty one, which means "none" or "unknown".
  explicit StringId(std::string value) : value_(std::move(value)) {}

  /// The name as a string.
  const std::string& str() const { return value_; }
  /// True for "none".
  bool empty() const { return value_.empty(); }
  /// Compares the bytes of the names.
  friend auto operator<=>(const StringId&, const StringId&) = default;

 private:
  std::string value_;
};

/// The id of an authenticated user, unique within a tenant.
using UserId = StringId<struct UserIdTag>;
/// The id of an organisation on a site.
using TenantId = StringId<struct TenantIdTag>;
/// A secret that identifies a session of a user: never log it.
using AccessToken = StringId<struct AccessTokenTag>;
/// A name that a stream joins when it opens, to be sent to as a group.
using ChannelName = StringId<struct ChannelNameTag>;
/// The name of a service of a server, see ServerOptions::services.
using ServiceName = StringId<struct ServiceNameTag>;

/// A 63-bit number that grows with time and is unique across nodes and restarts. 0 means "none".
template <class Tag>
class NumericId {
 public:
  constexpr NumericId() = default;
  /// The id with this number.
  constexpr explicit NumericId(std::uint64_t value) : value_(value) {}

  /// The id as a number.
  constexpr std::uint64_t value() const { return value_; }
  /// False for "none".
  constexpr bool valid() const { return value_ != 0; }
  /// Decimal. In JSON ids are strings: they exceed what a JavaScript number holds (2^53).
  std::string str() const { return std::to_string(value_); }
  /// Ids of one node are ordered by time.
  friend constexpr auto operator<=>(const NumericId&, const NumericId&) = default;

 private:
  std::uint64_t value_ = 0;
};

/// Identifies an open stream.
using ConnectionId = NumericId<struct ConnectionIdTag>;
/// Identifies a message, and an event on a stream.
using MessageId = NumericId<struct MessageIdTag>;

}  // namespace sse

/// Hashes a name, for unordered containers.
template <class Tag>
struct std::hash<sse::StringId<Tag>> {
  /// The hash of the string.
  std::size_t operator()(const sse::StringId<Tag>& id) const { return std::hash<std::string>{}(id.str()); }
};
/// Hashes an id, for unordered containers.
template <class Tag>
struct std::hash<sse::NumericId<Tag>> {
  /// The hash of the number.
  std::size_t operator()(const sse::NumericId<Tag>& id) const { return std::hash<std::uint64_t>{}(id.value()); }
};
