#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "auth/channel_pattern.h"
#include "sse-server/connection.h"

namespace sse::auth {

/// A rule of --channel-rule or --publish-rule: who may join the channels of a pattern, or publish to them.
struct ChannelRule {
  enum class Who : unsigned char {
    kAnyone,      ///< every user whom the server lets in
    kSelf,        ///< the user, or the users of the tenant, that the pattern names
    kHook,        ///< those whom the application accepts
    kSubscriber,  ///< of --publish-rule: streams that are in the channel
  };
  enum class Purpose : unsigned char { kJoin, kPublish };

  ChannelPattern pattern;
  Who who = Who::kAnyone;
  std::string text;  ///< as the operator wrote it: `team.*=hook`
};

/// The rules of a server, in their order: the first whose pattern matches a name decides about it. Immutable, thread
/// safe.
class ChannelRules {
 public:
  static constexpr std::size_t kMax = 1000;

  /// `texts`: `PATTERN=anyone`, `PATTERN=self` or `PATTERN=hook`, to publish also `PATTERN=subscriber`. Throws
  /// Error(kInvalidArgument) that names the option and the rule.
  static ChannelRules parse(const std::vector<std::string>& texts,
                            ChannelRule::Purpose purpose = ChannelRule::Purpose::kJoin);

  /// The rule that decides about a channel for a user; null: none does.
  const ChannelRule* find(std::string_view channel, const Identity& who) const;
  /// The first rule of the kind; null: there is none.
  const ChannelRule* first(ChannelRule::Who who) const;
  bool empty() const { return rules_.empty(); }

 private:
  std::vector<ChannelRule> rules_;
};

}  // namespace sse::auth
