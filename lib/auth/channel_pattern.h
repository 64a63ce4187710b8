#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "event/json_value.h"
#include "event/target.h"
#include "sse-server/connection.h"

namespace sse::auth {

/// A set of channel names, or a single one. A name is read as segments between dots:
///   - `*`: one segment that is not empty; `**`, only last: one segment or more; `*` alone: every name, as `**`;
///   - `{user}`, `{tenant}`: exactly the id of the user or its tenant, as encode_segment() writes it; no id, no match;
///   - any other segment: exactly that text, which has none of `*`, `{` and `}`.
///
/// All of these are whole segments, so that a match reads pattern and name once, and that no two pairs of ids give the
/// same name. Immutable, thread safe.
class ChannelPattern {
 public:
  static constexpr std::size_t kMaxBytes = event::kMaxNameBytes;

  /// Throws Error(kInvalidArgument) "'…' is no pattern of channel names: …".
  static ChannelPattern parse(std::string_view text);

  /// Whether a user may have a channel of this name by this pattern. Takes time proportional to the length of `name`.
  bool matches(std::string_view name, const Identity& who) const;
  /// Whether it contains `{user}` or `{tenant}`, so that it names other channels for each user or tenant.
  bool is_personal() const { return personal_; }
  const std::string& text() const { return text_; }

 private:
  explicit ChannelPattern(std::string text) : text_(std::move(text)) {}

  std::string text_;
  bool personal_ = false;
};

/// An id as one segment of a channel name: `%`, `.`, `*`, `{` and `}` become `%25`, `%2E`, `%2A`, `%7B` and `%7D`, so
/// that different ids never give the same segment.
std::string encode_segment(std::string_view id);

/// The right in JSON, for operators and the application: `allowed`, `refused`, or `hook`, which decides.
const char* right_name(ChannelRight right);

/// Most patterns that the credentials of one user may have, and their total size.
inline constexpr std::size_t kMaxUserChannels = 1000;
inline constexpr std::size_t kMaxUserChannelBytes = std::size_t{16} * 1024;

/// Checks the names and patterns that the credentials of a user list. Throws Error(kInvalidArgument): the rest of a
/// sentence about the list.
void check_user_channels(const std::vector<std::string>& patterns);
/// The patterns in such a list, at most kMaxUserChannels. What is no pattern allows nothing, and is left out: the
/// authenticators report it.
std::vector<ChannelPattern> patterns_of(const std::vector<std::string>& texts);
/// Reads such a list; null is an empty one. Throws as check_user_channels().
std::vector<std::string> user_channels_in(const event::Json& list);

}  // namespace sse::auth
